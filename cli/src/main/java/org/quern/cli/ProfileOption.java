package org.quern.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.KernelTime;
import org.quern.core.Settings;
import org.quern.io.AtomicFile;
import picocli.CommandLine.Option;

/// The options that measure each kernel of a device, as -Dquern.profile does, and tell.
final class ProfileOption {
  @Option(names = "--profile", description = "Show how long each kernel took, on standard error.")
  boolean profile;

  @Option(
      names = "--profile-json",
      paramLabel = "FILE",
      description = "Write how long each kernel took.")
  @Nullable Path json;

  private boolean wanted() {
    return profile || json != null;
  }

  /// {@return the settings to open the device with}
  ///
  /// @throws IllegalArgumentException if the file cannot be written: sooner than behind the work
  Settings in(Settings settings) {
    OutputFile.check("--profile-json", json);
    return wanted() ? settings.withProfile(true) : settings;
  }

  /// Tells what was measured, when that was asked for.
  ///
  /// @param backend opened with the settings of [#in]
  /// @param err takes the table
  void report(Backend backend, PrintWriter err) throws IOException {
    if (!wanted()) {
      return;
    }
    List<KernelTime> times = backend.kernelTimes();
    if (times.isEmpty()) {
      err.println(
          "profile: backend '%s' does not measure kernels".formatted(backend.device().backend()));
    } else if (profile) {
      KernelTable.print(err, times);
    }
    err.flush();
    Path file = json;
    if (file != null) {
      String text = JsonParts.text(g -> KernelTable.write(g, backend.device(), times));
      AtomicFile.write(file, (text + "\n").getBytes(StandardCharsets.UTF_8));
    }
  }
}
