package org.quern.cuda;

import java.util.Arrays;

/// Attention and its gradients in float64, and how far each number of a kernel may be off.
///
/// The bounds follow the kernel's arithmetic. A score is a sum of D products in f32, so the exponent
/// of weight p is off by at most `e = 2^-23 (D scale sum |q k| + ...)`, and p by `p e`. Where weights
/// become operands of a second product they change by `u p`, with u the unit of the storage or of
/// TF32; sums over n keys are f32 again; the result is rounded once, by its storage. For y = sum p v:
///
///     |error| <= sum p |v| (u + e + n 2^-23) + |y| (max e + n 2^-23) + u |y|
///
/// and for the gradients in the same way. Products of two such terms are covered by one per cent.
final class AttentionReference {
  /// A rounding of f32, or a truncation, which is what tensor cores may do in their sums.
  private static final double F32 = 0x1p-23;

  /// An exponential's own error, relative ("ex2.approx": 2^-22).
  private static final double EXPONENTIAL = 0x1p-21;

  private static final double SECOND_ORDER = 1.01;

  private final AttentionProblem problem;
  private final double[] q;
  private final double[] k;
  private final double[] v;
  private final double[] dy;
  private final int queries;
  private final int keys;
  private final int size;
  private final double scale;
  private final double unit;

  /// Results and bounds, tensor by tensor.
  final Tensor y;

  final Tensor lse;
  final Tensor delta;
  final Tensor dq;
  final Tensor dk;
  final Tensor dv;

  /// A result.
  ///
  /// @param value in float64
  /// @param bound how far a kernel may be off
  record Tensor(double[] value, double[] bound) {
    Tensor(int size) {
      this(new double[size], new double[size]);
    }
  }

  AttentionReference(AttentionProblem problem) {
    this.problem = problem;
    q = operands(problem.q());
    k = operands(problem.k());
    v = operands(problem.v());
    dy = operands(problem.dy());
    queries = problem.queries();
    keys = problem.keys();
    size = problem.size();
    scale = problem.spec().scale();
    unit = problem.operandUnit();
    int rows = problem.slices() * queries;
    y = new Tensor(rows * size);
    lse = new Tensor(rows);
    delta = new Tensor(rows);
    dq = new Tensor(rows * size);
    dk = new Tensor(problem.slices() * keys * size);
    dv = new Tensor(problem.slices() * keys * size);
    for (int slice = 0; slice < problem.slices(); slice++) {
      for (int i = 0; i < queries; i++) {
        new Row(slice, i).solve();
      }
    }
    store(y);
    store(dq);
    store(dk);
    store(dv);
  }

  private double[] operands(double[] x) {
    return Arrays.stream(x).map(problem::operand).toArray();
  }

  /// Adds what storing a result costs.
  private void store(Tensor t) {
    for (int i = 0; i < t.bound.length; i++) {
      t.bound[i] =
          SECOND_ORDER * t.bound[i]
              + problem.storageUnit() * (Math.abs(t.value[i]) + t.bound[i])
              + problem.tiny();
    }
  }

  /// One query and all keys.
  private final class Row {
    private final int slice;
    private final int i;
    private final int queryAt;
    private final int keyAt;
    private final double[] p = new double[keys];
    private final double[] exponent = new double[keys];
    private final double[] kept = new double[keys];
    private int visible;
    private double worst;

    Row(int slice, int i) {
      this.slice = slice;
      this.i = i;
      queryAt = (slice * queries + i) * size;
      keyAt = slice * keys * size;
    }

    void solve() {
      weigh();
      if (visible > 0) {
        output();
        gradients();
      }
    }

    /// Weights, the log of their sum, and the errors of their exponents.
    private void weigh() {
      double[] s = new double[keys];
      double[] magnitude = new double[keys];
      double highest = Double.NEGATIVE_INFINITY;
      for (int j = 0; j < keys; j++) {
        s[j] = Double.NEGATIVE_INFINITY;
        if (problem.sees(slice, i, j)) {
          s[j] = scale * dot(q, queryAt, k, keyAt + j * size);
          magnitude[j] = Math.abs(scale) * dotOfMagnitudes(q, queryAt, k, keyAt + j * size);
          highest = Math.max(highest, s[j]);
          visible++;
        }
      }
      int row = slice * queries + i;
      if (visible == 0) {
        lse.value[row] = Double.POSITIVE_INFINITY;
        return;
      }
      double sum = 0;
      for (double x : s) {
        sum += Math.exp(x - highest);
      }
      double total = highest + Math.log(sum);
      for (int j = 0; j < keys; j++) {
        if (problem.sees(slice, i, j)) {
          p[j] = Math.exp(s[j] - total);
          kept[j] = problem.kept(slice, i, j);
          exponent[j] =
              F32 * (size * magnitude[j] + 2 * Math.abs(s[j]) + 2 * Math.abs(total)) + EXPONENTIAL;
          worst = Math.max(worst, exponent[j]);
        }
      }
      lse.value[row] = total;
      lse.bound[row] = worst + visible * F32 + 4 * F32 * Math.abs(total);
    }

    private void output() {
      double sums = visible * F32;
      double[] out = new double[size];
      double highest = Arrays.stream(p).max().orElse(0);
      for (int j = 0; j < keys; j++) {
        double w = p[j] * kept[j];
        // A weight is an operand before the division by the sum, when the highest is 1.
        double rounding = kept[j] > 0 && unit > 0 ? problem.tiny() * kept[j] * highest : 0;
        for (int d = 0; d < size; d++) {
          double value = v[keyAt + j * size + d];
          out[d] += w * value;
          y.bound[queryAt + d] +=
              w * Math.abs(value) * (unit + exponent[j] + sums) + rounding * Math.abs(value);
        }
      }
      for (int d = 0; d < size; d++) {
        y.value[queryAt + d] = out[d];
        y.bound[queryAt + d] += Math.abs(out[d]) * (worst + sums);
        delta.value[slice * queries + i] += dy[queryAt + d] * out[d];
      }
    }

    private void gradients() {
      double dot = delta.value[slice * queries + i];
      for (int j = 0; j < keys; j++) {
        if (p[j] == 0) {
          continue;
        }
        int at = keyAt + j * size;
        double dp = kept[j] * dot(dy, queryAt, v, at);
        double ds = p[j] * (dp - dot);
        double dpError =
            kept[j] * F32 * size * dotOfMagnitudes(dy, queryAt, v, at)
                + F32 * (Math.abs(dp) + 2 * Math.abs(dot));
        double dsError =
            Math.abs(ds) * (unit + exponent[j] + 3 * F32) + p[j] * dpError + problem.tiny();
        double weight = kept[j] * p[j];
        double weightError = weight * (unit + exponent[j]) + kept[j] * problem.tiny();
        for (int d = 0; d < size; d++) {
          add(dq, queryAt + d, scale * ds, Math.abs(scale) * dsError, k[at + d], keys);
          add(dk, at + d, scale * ds, Math.abs(scale) * dsError, q[queryAt + d], queries);
          add(dv, at + d, weight, weightError, dy[queryAt + d], queries);
        }
      }
    }

    /// Adds a product to a sum of n, one of whose factors has an error.
    private static void add(Tensor t, int at, double a, double error, double b, int n) {
      t.value[at] += a * b;
      t.bound[at] += error * Math.abs(b) + Math.abs(a * b) * n * F32;
    }
  }

  private double dot(double[] a, int aAt, double[] b, int bAt) {
    double sum = 0;
    for (int d = 0; d < size; d++) {
      sum += a[aAt + d] * b[bAt + d];
    }
    return sum;
  }

  private double dotOfMagnitudes(double[] a, int aAt, double[] b, int bAt) {
    double sum = 0;
    for (int d = 0; d < size; d++) {
      sum += Math.abs(a[aAt + d] * b[bAt + d]);
    }
    return sum;
  }
}
