package org.quern.bench;

/// Attention as its definition reads: three loops of plain Java, one thread, no matrix.
final class ScalarLoops {
  private ScalarLoops() {}

  /// Causal attention.
  ///
  /// @param y (H, T, D), overwritten
  /// @param q (H, T, D)
  /// @param k (H, T, D)
  /// @param v (H, T, D)
  static void attention(
      float[] y, float[] q, float[] k, float[] v, int heads, int t, int d, float scale) {
    float[] weights = new float[t];
    for (int h = 0; h < heads; h++) {
      for (int i = 0; i < t; i++) {
        row(y, q, k, v, h * t * d, i, d, scale, weights);
      }
    }
  }

  private static void row(
      float[] y,
      float[] q,
      float[] k,
      float[] v,
      int head,
      int i,
      int d,
      float scale,
      float[] weights) {
    int at = head + i * d;
    float max = Float.NEGATIVE_INFINITY;
    for (int j = 0; j <= i; j++) {
      float sum = 0;
      for (int c = 0; c < d; c++) {
        sum += q[at + c] * k[head + j * d + c];
      }
      weights[j] = sum * scale;
      max = Math.max(max, weights[j]);
    }
    float total = 0;
    for (int j = 0; j <= i; j++) {
      weights[j] = (float) Math.exp(weights[j] - max);
      total += weights[j];
    }
    for (int c = 0; c < d; c++) {
      y[at + c] = 0;
    }
    for (int j = 0; j <= i; j++) {
      float w = weights[j] / total;
      for (int c = 0; c < d; c++) {
        y[at + c] += w * v[head + j * d + c];
      }
    }
  }
}
