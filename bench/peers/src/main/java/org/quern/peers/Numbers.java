package org.quern.peers;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.quern.bench.Models;
import org.quern.core.Precision;

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

  /// {@return what [#difference(Precision, float[], float[])] may be}
  ///
  /// @param f32 what it may be where both sides compute in f32
  static double tolerance(Precision precision, double f32) {
    return switch (precision) {
      case F32 -> f32;
      // Weights are off by up to 2^-9 on both sides, and the peer rounds each of some ten
      // activations a layer as well, which adds up as its root: sqrt(12 x 10) x 2^-9 / sqrt(3) is
      // 2^-6.3 for GPT-2 124M.
      case BF16 -> 0x1p-5;
      case F16 -> 0x1p-8;
      case Q8 -> 0x1p-4; // a weight is off by up to 1/254 of its block's largest, activations too
    };
  }

  /// {@return how far results are apart: in f32 the largest difference as a share of the largest
  /// number; where sides round differently by design, the root of the mean square of differences as
  /// a share of that of the numbers}
  static double difference(Precision precision, float[] a, float[] b) {
    if (precision == Precision.F32) {
      return difference(a, b);
    }
    requireSameLength(a, b);
    double apart = 0;
    double size = 0;
    for (int i = 0; i < a.length; i++) {
      apart += Math.pow((double) a[i] - b[i], 2);
      size += Math.pow(b[i], 2);
    }
    return Math.sqrt(apart / size);
  }

  /// {@return the largest difference, as a share of the largest number of `b`}
  static double difference(float[] a, float[] b) {
    requireSameLength(a, b);
    double most = 0;
    double largest = 0;
    for (int i = 0; i < a.length; i++) {
      most = Math.max(most, Math.abs((double) a[i] - b[i])); // a NaN stays one
      largest = Math.max(largest, Math.abs(b[i]));
    }
    return most / largest;
  }

  private static void requireSameLength(float[] a, float[] b) {
    if (a.length != b.length) {
      throw new IllegalArgumentException(
          "results of %d and %d numbers".formatted(a.length, b.length));
    }
  }
}
