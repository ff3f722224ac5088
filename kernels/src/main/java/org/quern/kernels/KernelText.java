package org.quern.kernels;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Reads kernels and their prelude from this module's resources.
public final class KernelText {
  private static final Map<String, String> READ = new ConcurrentHashMap<>();

  private KernelText() {}

  /// {@return the text of a file of this module}
  ///
  /// @param name such as `prelude.h` or `portable/add.cl`
  /// @throws IllegalArgumentException if there is none of that name
  public static String read(String name) {
    return READ.computeIfAbsent(name, KernelText::load);
  }

  private static String load(String name) {
    try (InputStream in = KernelText.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalArgumentException("no kernel file is named " + name);
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
