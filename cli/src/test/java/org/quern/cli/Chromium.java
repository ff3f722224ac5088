package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.quern.core.Availability;
import org.quern.tck.BackendCompatibility;

/// A browser without a window, for tests. Where there is none the test is skipped, with the reason;
/// where the environment says `CI=true` it fails.
final class Chromium {
  private static final List<String> NAMES =
      List.of("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");

  private Chromium() {}

  private static Path find() {
    for (String folder : System.getenv("PATH").split(File.pathSeparator, -1)) {
      for (String name : NAMES) {
        Path file = Path.of(folder, name);
        if (Files.isExecutable(file)) {
          return file;
        }
      }
    }
    BackendCompatibility.absent(
        new Availability.Missing("no Chromium is on the PATH", "Install chromium", null),
        System.getenv("CI"));
    throw new AssertionError("not reached");
  }

  /// {@return the document of a page after its scripts have run}
  static String dom(Path page, Path profile) throws IOException, InterruptedException {
    Path out = profile.resolveSibling(profile.getFileName() + ".dom");
    Process process =
        new ProcessBuilder(
                find().toString(),
                "--headless",
                "--no-sandbox", // a container's root has no other way; the page is our own
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--user-data-dir=" + profile,
                "--window-size=1800,1000",
                "--virtual-time-budget=20000",
                "--dump-dom",
                page.toUri().toString())
            .redirectOutput(out.toFile())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      assertTrue(process.waitFor(120, TimeUnit.SECONDS), "Chromium did not end in two minutes");
      assertEquals(0, process.exitValue(), Files.readString(out));
    } finally {
      process.destroyForcibly();
    }
    return Files.readString(out);
  }
}
