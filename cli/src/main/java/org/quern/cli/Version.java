package org.quern.cli;

import picocli.CommandLine.IVersionProvider;

/// What `--version` prints.
final class Version implements IVersionProvider {
  @Override
  public String[] getVersion() {
    String version = Main.class.getPackage().getImplementationVersion();
    return new String[] {
      "quern " + (version == null ? "(not packaged)" : version),
      "JDK " + Runtime.version() + " on " + System.getProperty("os.arch")
    };
  }
}
