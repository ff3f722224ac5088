package org.quern.peers;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.quern.bench.Models;

/// Inputs, and how results are compared.
final class Numbers {
  private Numbers() {}

  /// {@return normally distributed numbers}
  ///
  /// @param n how many
  /// @param seed the same seed gives the same numbers
  static float[] normal(long n, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] out = new float[Math.toIntExact(n)];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) random.nextGaussian();
    }
    return out;
  }

  /// {@return random tokens, always the same}
  static int[] ids(int vocabulary, int count) {
    SplittableRandom random = new SplittableRandom(Models.SEED);
    int[] out = new int[count];
    Arrays.setAll(out, i -> random.nextInt(vocabulary));
    return out;
  }

  /// {@return the largest difference, as a share of the largest number of `b`}
  static double difference(float[] a, float[] b) {
    if (a.length != b.length) {
      throw new IllegalArgumentException(
          "results of %d and %d numbers".formatted(a.length, b.length));
    }
    double most = 0;
    double largest = 0;
    for (int i = 0; i < a.length; i++) {
      most = Math.max(most, Math.abs((double) a[i] - b[i])); // a NaN stays one
      largest = Math.max(largest, Math.abs(b[i]));
    }
    return most / largest;
  }
}
