package org.quern.kernels;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.quern.io.AtomicFile;
import org.quern.kernels.Tuning.Tile;

/// A [Tuning] as a file of properties. A file that cannot be read or makes no sense is as good as
/// none.
public final class TuningFile {
  private static final System.Logger LOG = System.getLogger(TuningFile.class.getName());
  private static final long MOST_BYTES = 10_000;
  private static final int TILE_NUMBERS = 6;

  private TuningFile() {}

  /// {@return the tuning in a file, or null where there is none that can be used}
  ///
  /// @param file need not exist
  public static @Nullable Tuning read(Path file) {
    try {
      if (Files.size(file) > MOST_BYTES) {
        throw new IllegalArgumentException("it is too long");
      }
      Properties p = new Properties();
      p.load(new StringReader(Files.readString(file)));
      return new Tuning(
          number(p, "vector"),
          number(p, "elementGroup"),
          number(p, "rowGroup"),
          tile(p, "matmul"),
          tile(p, "flash"));
    } catch (NoSuchFileException e) {
      return null;
    } catch (IOException | IllegalArgumentException e) {
      LOG.log(
          System.Logger.Level.INFO,
          "the tuning in {0} is left aside: {1}; quern tune makes a new one",
          file,
          e.getMessage());
      return null;
    }
  }

  private static int number(Properties p, String name) {
    String text = p.getProperty(name);
    if (text == null) {
      throw new IllegalArgumentException("no " + name);
    }
    try {
      return Integer.parseInt(text.strip());
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("%s is '%s'".formatted(name, text), e);
    }
  }

  private static Tile tile(Properties p, String name) {
    String text = p.getProperty(name, "");
    String[] parts = text.split(",", -1);
    if (parts.length != TILE_NUMBERS) {
      throw new IllegalArgumentException("%s is '%s'".formatted(name, text));
    }
    int[] n = Arrays.stream(parts).mapToInt(s -> Integer.parseInt(s.strip())).toArray();
    return new Tile(n[0], n[1], n[2], n[3], n[4], n[5]);
  }

  /// Writes a file, whole or not at all.
  ///
  /// @param file where
  /// @param tuning what
  /// @param comment its first line
  /// @throws UncheckedIOException if it cannot be written, naming it
  public static void write(Path file, Tuning tuning, String comment) {
    Properties p = new Properties();
    p.setProperty("vector", Integer.toString(tuning.vector()));
    p.setProperty("elementGroup", Integer.toString(tuning.elementGroup()));
    p.setProperty("rowGroup", Integer.toString(tuning.rowGroup()));
    p.setProperty("matmul", text(tuning.matmul()));
    p.setProperty("flash", text(tuning.flash()));
    StringWriter out = new StringWriter();
    try {
      p.store(out, comment);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // a string is no file
    }
    AtomicFile.write(file, out.toString().getBytes(StandardCharsets.UTF_8));
  }

  private static String text(Tile t) {
    return IntStream.of(
            t.rowItems(), t.columnItems(), t.rows(), t.repeats(), t.columns(), t.depth())
        .mapToObj(Integer::toString)
        .collect(Collectors.joining(","));
  }
}
