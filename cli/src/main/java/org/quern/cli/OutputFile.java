package org.quern.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// Files that options name for results.
final class OutputFile {
  private OutputFile() {}

  /// Refuses a file that cannot be written: sooner than behind the work.
  ///
  /// @param option that names it
  /// @param file the file, or null for none
  /// @throws IllegalArgumentException if it cannot be
  static void check(String option, @Nullable Path file) {
    if (file == null) {
      return;
    }
    Path folder = file.toAbsolutePath().getParent();
    if (folder == null || !Files.isDirectory(folder) || Files.isDirectory(file)) {
      throw new IllegalArgumentException(
          "%s: %s cannot be a file; give one in a folder that exists".formatted(option, file));
    }
  }
}
