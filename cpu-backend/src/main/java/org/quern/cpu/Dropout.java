package org.quern.cpu;

import org.quern.core.Philox;

/// The factors of dropout: 0 where [Philox#keeps] says no, else `1 / (1 - rate)`.
final class Dropout {
  private Dropout() {}

  /// Writes the factors of elements `first` to `first + count`.
  ///
  /// @param factors at least `count` long
  /// @param seed of the mask
  /// @param first index of the element in its tensor
  /// @param count how many
  /// @param rate the share to drop
  static void factors(float[] factors, long seed, long first, int count, float rate) {
    int threshold = Philox.threshold(rate);
    float kept = 1 / (1 - rate);
    int[] words = new int[4];
    int i = 0;
    while (i < count) {
      long index = first + i;
      Philox.block(words, seed, index >>> 2);
      for (int lane = (int) (index & 3); lane < 4 && i < count; lane++) {
        factors[i++] = words[lane] >>> 8 >= threshold ? kept : 0;
      }
    }
  }
}
