package org.quern.kernels;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/// Reads kernels and their prelude from this module's resources.
public final class KernelText {
  private static final String INCLUDE = "#include \"";
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
      return include(new String(in.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// {@return the text with its `#include "..."` lines replaced: drivers look for files}
  private static String include(String text) {
    StringBuilder out = new StringBuilder();
    for (String line : text.split("\n", -1)) {
      if (line.startsWith(INCLUDE)) {
        out.append(load(line.substring(INCLUDE.length(), line.lastIndexOf('"'))));
      } else {
        out.append(line).append('\n');
      }
    }
    return out.toString();
  }
}
