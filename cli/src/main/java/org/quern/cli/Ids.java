package org.quern.cli;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/// Token ids on the command line.
final class Ids {
  private Ids() {}

  /// {@return the numbers of a text such as `1 2 3` or `1,2,3`}
  ///
  /// @throws IllegalArgumentException if one is no id
  static int[] parse(String text) {
    if (text.isBlank()) {
      throw new IllegalArgumentException("--ids is empty; give at least one id: --ids \"1 2 3\"");
    }
    String[] parts = text.strip().split("[\\s,]+", -1);
    int[] out = new int[parts.length];
    for (int i = 0; i < parts.length; i++) {
      try {
        out[i] = Integer.parseInt(parts[i]);
      } catch (NumberFormatException e) {
        throw new IllegalArgumentException(
            "--ids takes numbers such as \"1 2 3\", found '%s'".formatted(parts[i]));
      }
    }
    return out;
  }

  /// {@return ids with blanks in between}
  static String print(List<Integer> ids) {
    return ids.stream().map(String::valueOf).collect(Collectors.joining(" "));
  }

  /// {@return ids as a list}
  static List<Integer> list(int[] ids) {
    return Arrays.stream(ids).boxed().toList();
  }
}
