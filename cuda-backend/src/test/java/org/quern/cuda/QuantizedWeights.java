package org.quern.cuda;

import java.util.Random;
import org.quern.core.Activation;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.DeviceBackend;

/// Compares a product with a quantized weight with float64 loops.
final class QuantizedWeights {
  private static final int BLOCK = 32;

  private QuantizedWeights() {}

  /// Fails where `x w^T + bias` with w in int8 is further from the exact product than half a step
  /// of each weight allows.
  ///
  /// @param n rows of x
  /// @param c inputs
  /// @param o outputs
  static void check(DeviceBackend backend, int n, int c, int o) {
    Random random = new Random(n * 31L + c);
    float[] x = floats(random, n * c);
    float[] w = floats(random, o * c);
    float[] bias = floats(random, o);
    float[] y;
    try (Scope scope = backend.open("quantized")) {
      Tensor weight = upload(backend, scope, w, o, c);
      Tensor out = scope.floats(n, o);
      Tensor quantized = backend.quantize(weight, scope);
      Tensor in = upload(backend, scope, x, n, c);
      Tensor b = upload(backend, scope, bias, 1, o).view(Shape.of(o));
      backend.ops().linear(out, out, in, quantized, b, Activation.NONE);
      y = backend.floats(out);
    }
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < o; j++) {
        double exact = bias[j];
        double allowed = 1e-5;
        for (int k = 0; k < c; k++) {
          exact += (double) x[i * c + k] * w[j * c + k];
          allowed += Math.abs(x[i * c + k]) * step(w, j * c, k, c) / 2 * 1.0001;
        }
        double error = Math.abs(y[i * o + j] - exact);
        if (!(error <= allowed)) {
          throw new AssertionError(
              "row %d, output %d: %s, expected %s; error %s, allowed %s"
                  .formatted(i, j, y[i * o + j], exact, error, allowed));
        }
      }
    }
  }

  /// {@return the distance between two int8 of the block that a weight lies in}
  private static double step(float[] w, int row, int k, int c) {
    double most = 0;
    for (int l = k / BLOCK * BLOCK; l < Math.min(c, (k / BLOCK + 1) * BLOCK); l++) {
      most = Math.max(most, Math.abs(w[row + l]));
    }
    return most / 127;
  }

  private static float[] floats(Random random, int count) {
    float[] out = new float[count];
    for (int i = 0; i < count; i++) {
      out[i] = (float) random.nextGaussian();
    }
    return out;
  }

  private static Tensor upload(
      DeviceBackend backend, Scope scope, float[] values, int rows, int columns) {
    Tensor t = scope.allocate(DType.F32, Shape.of(rows, columns));
    backend.upload(t, values);
    return t;
  }
}
