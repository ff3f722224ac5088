package org.quern.bench;

import org.quern.core.Philox;

/// Inputs of the benchmarks, and a check of their results in float64.
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

  private static int[] rows(int t) {
    return new int[] {0, Math.min(1, t - 1), t / 3, t / 2, t - 1};
  }

  /// Compares the first, last and some other rows of two heads.
  ///
  /// @throws IllegalStateException if one is wrong: a wrong kernel must not be timed
  static void verify(float[] y, float[] q, float[] k, float[] v, int t) {
    int d = AttentionBenchmark.HEAD_SIZE;
    for (int head : new int[] {0, AttentionBenchmark.HEADS - 1}) {
      for (int row : rows(t)) {
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

  /// Compares the first, last and some other rows of two heads of a causal softmax.
  ///
  /// @throws IllegalStateException if one is wrong: a wrong kernel must not be timed
  static void verifySoftmax(float[] y, float[] x, int t, float scale) {
    for (int head : new int[] {0, SoftmaxBenchmark.HEADS - 1}) {
      for (int row : rows(t)) {
        int from = (head * t + row) * t;
        double total = 0;
        for (int j = 0; j <= row; j++) {
          total += Math.exp((double) x[from + j] * scale);
        }
        for (int j = 0; j < t; j++) {
          double want = j <= row ? Math.exp((double) x[from + j] * scale) / total : 0;
          if (!(Math.abs(y[from + j] - want) <= TOLERANCE * want)) {
            throw new IllegalStateException(
                "wrong softmax: head %d, row %d, column %d: expected %s, found %s"
                    .formatted(head, row, j, want, y[from + j]));
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
