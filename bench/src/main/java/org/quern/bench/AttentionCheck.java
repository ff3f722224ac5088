package org.quern.bench;

import org.quern.core.Philox;

/// Inputs of the attention benchmark, and a check of its results in float64.
final class AttentionCheck {
  private static final double TOLERANCE = 2e-5; // 64 products and up to 4096 weights, f32 each

  private AttentionCheck() {}

  /// {@return numbers in [-1, 1)}
  static float[] inputs(int count, long seed) {
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

  /// Compares the first, last and some other rows of two heads.
  ///
  /// @throws IllegalStateException if one is wrong: a wrong kernel must not be timed
  static void verify(float[] y, float[] q, float[] k, float[] v, int t) {
    int d = AttentionBenchmark.HEAD_SIZE;
    for (int head : new int[] {0, AttentionBenchmark.HEADS - 1}) {
      for (int row : new int[] {0, 1, t / 3, t / 2, t - 1}) {
        double[] want = row(q, k, v, head * t * d, row);
        for (int c = 0; c < d; c++) {
          float found = y[(head * t + row) * d + c];
          if (!(Math.abs(found - want[c]) <= TOLERANCE)) {
            throw new IllegalStateException(
                "wrong attention: head %d, row %d, column %d: expected %s, found %s"
                    .formatted(head, row, c, want[c], found));
          }
        }
      }
    }
  }

  private static double[] row(float[] q, float[] k, float[] v, int from, int row) {
    int d = AttentionBenchmark.HEAD_SIZE;
    double[] weights = new double[row + 1];
    double max = Double.NEGATIVE_INFINITY;
    for (int j = 0; j <= row; j++) {
      double sum = 0;
      for (int c = 0; c < d; c++) {
        sum += (double) q[from + row * d + c] * k[from + j * d + c];
      }
      weights[j] = sum / Math.sqrt(d);
      max = Math.max(max, weights[j]);
    }
    double total = 0;
    for (int j = 0; j <= row; j++) {
      weights[j] = Math.exp(weights[j] - max);
      total += weights[j];
    }
    double[] out = new double[d];
    for (int j = 0; j <= row; j++) {
      for (int c = 0; c < d; c++) {
        out[c] += weights[j] / total * v[from + j * d + c];
      }
    }
    return out;
  }
}
