package org.quern.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// Graphics cards that people have, from the table beside this class.
final class Gpus {
  private static final String TABLE = "gpus.csv";

  private Gpus() {}

  /// A graphics card.
  ///
  /// @param name what it is sold as
  /// @param bytes of its memory, the maker's GB taken as 10^9
  record Gpu(String name, long bytes) {}

  /// {@return all of them, the smallest first}
  static List<Gpu> all() {
    try (InputStream in = Gpus.class.getResourceAsStream(TABLE)) {
      if (in == null) {
        throw new IllegalStateException("the resource " + TABLE + " is missing");
      }
      var lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
      return lines.lines().filter(l -> !l.startsWith("#")).skip(1).map(Gpus::gpu).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Gpu gpu(String line) {
    int comma = line.lastIndexOf(',');
    long gigabytes = Long.parseLong(line.substring(comma + 1).strip());
    return new Gpu(line.substring(0, comma), gigabytes * 1_000_000_000);
  }
}
