package org.quern.cli;

/// The entry point.
public final class Main {
  private Main() {}

  /// Runs a command and exits.
  ///
  /// @param args the command line
  public static void main(String... args) {}
}
