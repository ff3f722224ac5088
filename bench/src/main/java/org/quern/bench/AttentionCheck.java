package org.quern.bench;

import org.quern.core.Mask;

/// Attention and its gradients of single rows by float64 loops, to check results with.
final class AttentionCheck {
  /// Rows of which a gradient of a key is the sum; more take too long where T is long.
  private static final int MOST_ROWS = 600;

  private final float[] q;
  private final float[] k;
  private final float[] v;
  private final int heads;
  private final int t;
  private final int d;
  private final Mask mask;

  /// Checks one attention.
  ///
  /// @param q (H, T, D), queries; the array is kept
  /// @param k (H, T, D), keys; the array is kept
  /// @param v (H, T, D), values; the array is kept
  /// @param heads H
  /// @param t T
  /// @param d D
  /// @param mask which keys are seen
  AttentionCheck(float[] q, float[] k, float[] v, int heads, int t, int d, Mask mask) {
    this.q = q;
    this.k = k;
    this.v = v;
    this.heads = heads;
    this.t = t;
    this.d = d;
    this.mask = mask;
  }

  private double scale() {
    return 1 / Math.sqrt(d);
  }

  private static double dot(float[] a, int i, float[] b, int j, int n) {
    double sum = 0;
    for (int c = 0; c < n; c++) {
      sum += (double) a[i + c] * b[j + c];
    }
    return sum;
  }

  /// {@return the weights of a row's keys, 0 where hidden}
  private double[] weights(int head, int row) {
    int base = head * t * d;
    double[] out = new double[t];
    int first = mask.firstKey(row);
    int end = mask.endKey(row, t);
    double max = Double.NEGATIVE_INFINITY;
    for (int j = first; j < end; j++) {
      out[j] = dot(q, base + row * d, k, base + j * d, d) * scale();
      max = Math.max(max, out[j]);
    }
    double total = 0;
    for (int j = first; j < end; j++) {
      out[j] = Math.exp(out[j] - max);
      total += out[j];
    }
    for (int j = first; j < end; j++) {
      out[j] /= total;
    }
    return out;
  }

  /// {@return the gradient of a row's scores, before the scale}
  private double[] dScores(int head, int row, double[] p, float[] dy) {
    int base = head * t * d;
    double[] dp = new double[t];
    double mean = 0;
    for (int j = mask.firstKey(row); j < mask.endKey(row, t); j++) {
      dp[j] = dot(dy, base + row * d, v, base + j * d, d);
      mean += p[j] * dp[j];
    }
    for (int j = 0; j < t; j++) {
      dp[j] = p[j] * (dp[j] - mean);
    }
    return dp;
  }

  /// {@return `factor sum_j w[j] x[j]`}
  private double[] weighted(int head, double[] w, float[] x, double factor) {
    double[] out = new double[d];
    for (int j = 0; j < t; j++) {
      for (int c = 0; c < d && w[j] != 0; c++) {
        out[c] += factor * w[j] * x[(head * t + j) * d + c];
      }
    }
    return out;
  }

  private int[] someHeads() {
    return heads == 1 ? new int[] {0} : new int[] {0, heads - 1};
  }

  /// Compares some rows of the result.
  ///
  /// @throws IllegalStateException if one is wrong: a wrong kernel must not be timed
  void forward(float[] y, double tolerance) {
    for (int head : someHeads()) {
      for (int row : Inputs.places(t)) {
        compare("attention", y, head, row, weighted(head, weights(head, row), v, 1), tolerance);
      }
    }
  }

  /// Compares some rows of the gradients.
  ///
  /// @throws IllegalStateException if one is wrong
  void backward(float[] dq, float[] dk, float[] dv, float[] dy, double tolerance) {
    for (int head : someHeads()) {
      for (int row : Inputs.places(t)) {
        double[] ds = dScores(head, row, weights(head, row), dy);
        compare("gradient of q", dq, head, row, weighted(head, ds, k, scale()), tolerance);
        if (lastRow(row) - row <= MOST_ROWS) {
          key(head, row, dk, dv, dy, tolerance);
        }
      }
    }
  }

  /// {@return the last row that sees a key}
  private int lastRow(int key) {
    return (int) Math.min(t - 1L, (long) key + mask.window() - 1);
  }

  private void key(int head, int key, float[] dk, float[] dv, float[] dy, double tolerance) {
    double[] wantK = new double[d];
    double[] wantV = new double[d];
    for (int row = key; row <= lastRow(key); row++) {
      double[] p = weights(head, row);
      double ds = dScores(head, row, p, dy)[key] * scale();
      int at = (head * t + row) * d;
      for (int c = 0; c < d; c++) {
        wantK[c] += ds * q[at + c];
        wantV[c] += p[key] * dy[at + c];
      }
    }
    compare("gradient of k", dk, head, key, wantK, tolerance);
    compare("gradient of v", dv, head, key, wantV, tolerance);
  }

  private void compare(
      String what, float[] found, int head, int row, double[] want, double tolerance) {
    for (int c = 0; c < d; c++) {
      float x = found[(head * t + row) * d + c];
      if (!(Math.abs(x - want[c]) <= tolerance * Math.max(1, Math.abs(want[c])))) {
        throw new IllegalStateException(
            "wrong %s: head %d, row %d, column %d: expected %s, found %s"
                .formatted(what, head, row, c, want[c], x));
      }
    }
  }
}
