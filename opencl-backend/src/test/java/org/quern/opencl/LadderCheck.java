package org.quern.opencl;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Ladder;
import org.quern.kernels.Ladder.AttentionRung;
import org.quern.kernels.Ladder.MatmulRung;

/// Compares a rung of the ladder with loops in float64.
final class LadderCheck {
  /// Unit roundoff of f32.
  private static final double U = 0x1p-24;

  private static final int TEXTS = 2;
  private static final int HEADS = 3;
  private static final int SLICES = TEXTS * HEADS;

  private final DeviceBackend backend;
  private final SplittableRandom random;

  /// Draws inputs from a seed that follows from the name.
  LadderCheck(DeviceBackend backend, String name) {
    this.backend = backend;
    this.random = new SplittableRandom(name.hashCode());
  }

  /// Numbers in [-1, 1).
  private float[] draw(int count) {
    float[] out = new float[count];
    for (int i = 0; i < count; i++) {
      out[i] = (float) random.nextDouble(-1, 1);
    }
    return out;
  }

  /// {@return a tensor with those values, behind a guard, so that its offset is not 0}
  private Tensor put(Scope scope, Shape shape, float... values) {
    Tensor all = scope.allocate(DType.F32, Shape.of(2, shape.elements()));
    Tensor tensor = all.slice(1).view(shape);
    backend.upload(tensor, values);
    return tensor;
  }

  private static float[] unset(int count) {
    float[] out = new float[count];
    Arrays.fill(out, Float.NaN);
    return out;
  }

  private static void compare(float[] found, double[] expected, double tolerance) {
    for (int i = 0; i < expected.length; i++) {
      if (!(Math.abs(found[i] - expected[i]) <= tolerance)) {
        throw new AssertionError(
            "element %d: expected %s within %s, found %s"
                .formatted(i, expected[i], tolerance, found[i]));
      }
    }
  }

  void attention(AttentionRung rung, int t, int d) {
    Shape shape = Shape.of(TEXTS, HEADS, t, d);
    int n = Math.toIntExact(shape.elements());
    float[] q = draw(n);
    float[] k = draw(n);
    float[] v = draw(n);
    float scale = (float) (1 / Math.sqrt(d));
    try (Scope scope = backend.open("ladder")) {
      Tensor y = put(scope, shape, unset(n));
      Tensor kt = put(scope, shape, k);
      Ladder.attention(
          backend, rung, y, put(scope, shape, q), kt, put(scope, shape, v), scale, scope);
      compare(backend.floats(y), expected(q, k, v, t, d, scale), tolerance(t, d, scale));
    }
  }

  /// A score is d products of numbers up to 1, so it is off by d (d + 2) u scale at most; so is the
  /// maximum, and a weight by that share; the sums of t weights and of t weighted values add one u
  /// a term each, and some more for exp and the division.
  private static double tolerance(int t, int d, float scale) {
    double score = d * (d + 2) * U * scale;
    return 4 * score + (2 * t + 16) * U;
  }

  private static double[] expected(float[] q, float[] k, float[] v, int t, int d, float scale) {
    double[] out = new double[q.length];
    double[] weights = new double[t];
    for (int s = 0; s < SLICES; s++) {
      int from = s * t * d;
      for (int i = 0; i < t; i++) {
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j <= i; j++) {
          double sum = 0;
          for (int c = 0; c < d; c++) {
            sum += (double) q[from + i * d + c] * k[from + j * d + c];
          }
          weights[j] = sum * scale;
          max = Math.max(max, weights[j]);
        }
        double total = 0;
        for (int j = 0; j <= i; j++) {
          weights[j] = Math.exp(weights[j] - max);
          total += weights[j];
        }
        for (int j = 0; j <= i; j++) {
          for (int c = 0; c < d; c++) {
            out[from + i * d + c] += weights[j] / total * v[from + j * d + c];
          }
        }
      }
    }
    return out;
  }

  void softmax(int t) {
    Shape shape = Shape.of(SLICES, t, t);
    int n = Math.toIntExact(shape.elements());
    float[] x = draw(n);
    float scale = 3;
    try (Scope scope = backend.open("ladder")) {
      Tensor y = put(scope, shape, unset(n));
      Ladder.unfusedMaskedSoftmax(backend, y, put(scope, shape, x), scale);
      double[] expected = new double[n];
      for (int row = 0; row < SLICES * t; row++) {
        int i = row % t;
        double total = 0;
        for (int j = 0; j <= i; j++) {
          expected[row * t + j] = Math.exp(x[row * t + j] * (double) scale);
          total += expected[row * t + j];
        }
        for (int j = 0; j <= i; j++) {
          expected[row * t + j] /= total;
        }
      }
      // A weight is off by 2 roundings of scale x, and one a term of the sum, as a share.
      compare(backend.floats(y), expected, (4 * scale + t + 16) * U);
    }
  }

  void matmul(MatmulRung rung, Trans tb, int m, int n, int k) {
    float[] a = draw(SLICES * m * k);
    float[] b = draw(SLICES * n * k);
    Shape right = tb == Trans.T ? Shape.of(SLICES, n, k) : Shape.of(SLICES, k, n);
    try (Scope scope = backend.open("ladder")) {
      Tensor c = put(scope, Shape.of(SLICES, m, n), unset(SLICES * m * n));
      Tensor left = put(scope, Shape.of(SLICES, m, k), a);
      Ladder.matmul(backend, rung, c, left, put(scope, right, b), tb);
      double[] expected = new double[SLICES * m * n];
      for (int i = 0; i < expected.length; i++) {
        int column = i % n;
        int row = i / n; // of all slices
        int slice = row / m;
        for (int d = 0; d < k; d++) {
          int at = tb == Trans.T ? column * k + d : d * n + column;
          expected[i] += (double) a[row * k + d] * b[slice * n * k + at];
        }
      }
      compare(backend.floats(c), expected, k * (k + 1) * U);
    }
  }
}
