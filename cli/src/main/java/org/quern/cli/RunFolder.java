package org.quern.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import org.quern.io.AtomicFile;

/// The folder of a training run: `recipe.toml`, all values that it has; `checkpoint.safetensors` to
/// go on from; `loss.csv`; `samples.txt`, where samples are wanted; and the best model so far,
/// ready for `--model`.
///
/// @param path the folder
record RunFolder(Path path) {
  private static final String HEADER = "step,train_loss,validation_loss,learning_rate,tokens_per_s";

  Path checkpoint() {
    return path.resolve("checkpoint.safetensors");
  }

  Path recipe() {
    return path.resolve("recipe.toml");
  }

  Path samples() {
    return path.resolve("samples.txt");
  }

  private Path losses() {
    return path.resolve("loss.csv");
  }

  /// Makes the folder, or checks that an older run in it is wanted.
  ///
  /// @throws IllegalArgumentException if there is a run and nobody asked to go on, or none to go on
  ///   from
  void prepare(boolean resume, boolean overwrite) {
    boolean exists = Files.exists(checkpoint());
    if (resume && !exists) {
      throw new IllegalArgumentException(
          "%s holds no checkpoint to resume; leave out --resume".formatted(path));
    }
    if (exists && !resume && !overwrite) {
      throw new IllegalArgumentException(
          "%s holds a run already: --resume goes on, --overwrite starts anew, or use another --out"
              .formatted(path));
    }
    try {
      Files.createDirectories(path);
      if (!resume) {
        Files.deleteIfExists(checkpoint());
        Files.deleteIfExists(samples());
        Files.writeString(losses(), HEADER + "\n");
      }
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "cannot write to %s (%s); use another --out".formatted(path, e), e);
    }
  }

  /// Keeps all values of the run.
  void write(Recipe recipe) {
    AtomicFile.write(recipe(), recipe.toml().getBytes(StandardCharsets.UTF_8));
  }

  /// Cuts what an interrupted run has written behind its last checkpoint.
  void cutLosses(long step) {
    try {
      List<String> kept =
          Files.readAllLines(losses()).stream()
              .filter(l -> l.equals(HEADER) || stepOf(l) <= step)
              .toList();
      AtomicFile.write(losses(), (String.join("\n", kept) + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long stepOf(String line) {
    int comma = line.indexOf(',');
    try {
      return Long.parseLong(comma < 0 ? line : line.substring(0, comma));
    } catch (NumberFormatException e) {
      return Long.MAX_VALUE;
    }
  }

  void addSample(long step, String text) {
    try {
      Files.writeString(
          samples(),
          "--- behind step %d%n%s%n%n".formatted(step, text),
          StandardCharsets.UTF_8,
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  void addLosses(long step, double train, double validation, double rate, double speed) {
    String line =
        String.format(
            Locale.ROOT, "%d,%.4f,%.4f,%.6f,%.0f%n", step, train, validation, rate, speed);
    try {
      Files.writeString(losses(), line, StandardCharsets.UTF_8, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
