package org.quern.io;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Files that other programs wrote: see their README.
final class Golden {
  static final List<String> MODELS =
      List.of(
          "f32-prefix-tied",
          "f32-unaligned",
          "f16-bare-untied",
          "bf16-prefix-tied",
          "bf16-sharded-untied");

  private Golden() {}

  static Path path(String name) {
    return Path.of("src/test/resources/golden-files").resolve(name);
  }

  /// {@return the numbers of each parameter, in our order}
  static Map<String, float[]> expected(String model) throws IOException {
    Map<String, float[]> out = new LinkedHashMap<>();
    for (String line : Files.readAllLines(path(model).resolve("expected.txt"))) {
      String[] words = line.split(" ");
      float[] numbers = new float[words.length - 1];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = Float.intBitsToFloat(Integer.parseUnsignedInt(words[i + 1], 16));
      }
      out.put(words[0], numbers);
    }
    return out;
  }
}
