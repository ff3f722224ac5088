package org.quern.io;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.quern.gpt.LanguageModel;

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

  /// {@return the SHA-256 of the numbers of each parameter, as binary32, from a file}
  static Map<String, String> digests(String name) throws IOException {
    Map<String, String> out = new TreeMap<>();
    for (String line : Files.readAllLines(path(name + ".expected"))) {
      int space = line.indexOf(' ');
      out.put(line.substring(0, space), line.substring(space + 1));
    }
    return out;
  }

  static Map<String, String> digests(LanguageModel model) {
    return digests(ParameterValues.of(model));
  }

  static Map<String, String> digests(ParameterValues values) {
    Map<String, String> out = new TreeMap<>();
    values
        .shapes()
        .forEach(
            (name, shape) -> {
              byte[] bytes = new byte[Math.toIntExact(4 * shape.elements())];
              values.read(name, MemorySegment.ofArray(bytes));
              out.put(name, sha256(bytes));
            });
    return out;
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
