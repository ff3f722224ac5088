package org.quern.gpt;

import java.util.Arrays;
import org.quern.core.Philox;

/// Normally distributed numbers by the Box-Muller transform over [Philox]: the same on every
/// machine and JDK.
final class NormalNumbers {
  private NormalNumbers() {}

  /// Fills an array.
  ///
  /// @param stream the numbers of two streams under one seed have nothing to do with each other
  static void fill(float[] out, float mean, float deviation, long seed, String stream) {
    if (deviation == 0) {
      Arrays.fill(out, mean);
      return;
    }
    int[] words = new int[4];
    long high = 2 + Integer.toUnsignedLong(stream.hashCode()); // 0 and 1: dropout
    for (int i = 0; i < out.length; i += 2) {
      if ((i & 3) == 0) {
        Philox.block(words, seed, i >>> 2, high);
      }
      int at = i & 2;
      double u = ((words[at] >>> 8) + 1) * 0x1p-24; // (0, 1]
      double angle = 2 * Math.PI * (words[at + 1] >>> 8) * 0x1p-24;
      double radius = deviation * StrictMath.sqrt(-2 * StrictMath.log(u));
      out[i] = (float) (mean + radius * StrictMath.cos(angle));
      if (i + 1 < out.length) {
        out[i + 1] = (float) (mean + radius * StrictMath.sin(angle));
      }
    }
  }
}
