package org.quern.bench;

import org.quern.core.Philox;

/// Numbers for benchmarks.
final class Inputs {
  private Inputs() {}

  /// {@return numbers in [-1, 1)}
  static float[] floats(int count, long seed) {
    float[] out = new float[count];
    int[] words = new int[4];
    for (int i = 0; i < count; i++) {
      if ((i & 3) == 0) {
        Philox.block(words, seed, i >> 2);
      }
      out[i] = words[i & 3] * 0x1p-31f;
    }
    return out;
  }

  /// {@return numbers in [0, bound)}
  static int[] tokens(int count, int bound, long seed) {
    int[] out = new int[count];
    int[] words = new int[4];
    for (int i = 0; i < count; i++) {
      if ((i & 3) == 0) {
        Philox.block(words, seed, i >> 2);
      }
      out[i] = Integer.remainderUnsigned(words[i & 3], bound);
    }
    return out;
  }

  /// {@return places of a long axis to check: the first, the last, some between}
  static int[] places(int length) {
    return new int[] {0, Math.min(1, length - 1), length / 3, length / 2, length - 1};
  }
}
