package org.quern.cuda;

import java.util.Arrays;
import java.util.Random;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;

/// A masked softmax with random scores, its results in float64, and how far a kernel may be off.
///
/// Scores and their differences are rounded to f32, so that an exponent is off by `e = 2^-23 (|s| +
/// |m|)`, and a weight by `p (e + 2^-21 + T 2^-23)`; a result is rounded once more by its storage.
final class SoftmaxProblem {
  private static final double F32 = 0x1p-23;

  final AttentionProblem shape;
  final double[] x;
  final double[] dy;
  final AttentionReference.Tensor y;
  final AttentionReference.Tensor lse;
  final AttentionReference.Tensor dx;

  SoftmaxProblem(
      DType dtype, int heads, int queries, int keys, AttentionSpec spec, int... positions) {
    shape =
        new AttentionProblem(
            dtype, AttentionProblem.Arithmetic.FLOAT, heads, queries, keys, 1, spec, positions);
    int rows = shape.slices() * queries;
    x = random("x", 3);
    dy = random("dy", 1);
    y = new AttentionReference.Tensor(rows * keys);
    lse = new AttentionReference.Tensor(rows);
    dx = new AttentionReference.Tensor(rows * keys);
    for (int row = 0; row < rows; row++) {
      solve(row, row / queries, row % queries);
    }
  }

  /// Numbers; NaN where the mask hides, since nobody may look there.
  private double[] random(String name, double spread) {
    Random random = new Random((name + shape).hashCode());
    int keys = shape.keys();
    double[] out = new double[shape.slices() * shape.queries() * keys];
    for (int n = 0; n < out.length; n++) {
      int row = n / keys;
      double value = Storage.round(shape.dtype(), spread * random.nextGaussian());
      boolean seen = shape.sees(row / shape.queries(), row % shape.queries(), n % keys);
      out[n] = seen ? value : Double.NaN;
    }
    return out;
  }

  private void solve(int row, int slice, int i) {
    int keys = shape.keys();
    int at = row * keys;
    double scale = shape.spec().scale();
    double highest =
        Arrays.stream(x, at, at + keys)
            .filter(v -> !Double.isNaN(v))
            .map(v -> v * scale)
            .max()
            .orElse(Double.NEGATIVE_INFINITY);
    double sum =
        Arrays.stream(x, at, at + keys)
            .filter(v -> !Double.isNaN(v))
            .map(v -> Math.exp(v * scale - highest))
            .sum();
    if (sum == 0) {
      lse.value()[row] = Double.POSITIVE_INFINITY;
      return;
    }
    double total = highest + Math.log(sum);
    lse.value()[row] = total;
    lse.bound()[row] = F32 * (keys + 4 + 3 * Math.abs(total)) + 0x1p-21;
    double[] p = new double[keys];
    double[] dp = new double[keys];
    double[] error = new double[keys];
    double dot = 0;
    double dotError = 0;
    for (int j = 0; j < keys; j++) {
      if (shape.sees(slice, i, j)) {
        double s = x[at + j] * scale;
        p[j] = Math.exp(s - total);
        error[j] = F32 * (Math.abs(s) + Math.abs(highest) + Math.abs(total) + keys + 4) + 0x1p-21;
        double kept = shape.kept(slice, i, j);
        set(y, at + j, p[j] * kept, p[j] * kept * error[j]);
        dp[j] = kept * dy[at + j];
        dot += p[j] * dp[j];
        dotError += Math.abs(p[j] * dp[j]) * (error[j] + keys * F32);
      }
    }
    for (int j = 0; j < keys; j++) {
      double ds = p[j] * (dp[j] - dot);
      double dsError =
          Math.abs(ds) * error[j] + p[j] * (dotError + F32 * (Math.abs(dp[j]) + Math.abs(dot)));
      set(dx, at + j, scale * ds, scale * dsError);
    }
  }

  private void set(AttentionReference.Tensor t, int at, double value, double error) {
    t.value()[at] = value;
    t.bound()[at] = 1.01 * error + shape.storageUnit() * Math.abs(value) + shape.tiny();
  }

  /// {@return dy with numbers where nobody looks: a gradient that arrives may be anything there}
  double[] gradient() {
    return Arrays.stream(dy).map(v -> Double.isNaN(v) ? 1e30 : v).toArray();
  }

  @Override
  public String toString() {
    return shape.toString();
  }
}
