package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.DType;
import org.quern.core.Philox;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

@ExtendWith(Tier.class)
class ElementwiseTest {
  private static final int[] SIZES = {1, 3, 7, 13, 64, 127, 1000, 50_001};

  /// `erf` by its Maclaurin series in the form without alternating signs; f64 to about 1e-15.
  static double erf(double x) {
    if (Math.abs(x) > 6) {
      return Math.signum(x);
    }
    double term = x;
    double sum = x;
    for (int n = 1; n < 200; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }

  /// `erfc` for x >= 2 by Laplace's continued fraction.
  private static double erfcTail(double x) {
    double fraction = 0;
    for (int n = 200; n > 0; n--) {
      fraction = 0.5 * n / (x + fraction);
    }
    return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
  }

  static double normal(double x) {
    double z = x / Math.sqrt(2);
    return z < -2 ? 0.5 * erfcTail(-z) : 0.5 * (1 + erf(z));
  }

  static double activation(Activation f, double x) {
    return switch (f) {
      case NONE -> x;
      case RELU -> Math.max(x, 0);
      case GELU_ERF -> x * normal(x);
      case GELU_TANH ->
          x / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    };
  }

  private static double derivative(Activation f, double x) {
    double h = 1e-5;
    return (activation(f, x + h) - activation(f, x - h)) / (2 * h);
  }

  @Test
  void addAxpyScale() {
    Fixture.everywhere(
        f -> {
          for (int n : SIZES) {
            float[] a = f.numbers(n, 3);
            float[] b = f.numbers(n, 3);
            double[] sum = new double[n];
            double[] scaled = new double[n];
            for (int i = 0; i < n; i++) {
              sum[i] = (double) a[i] + b[i];
              scaled[i] = -0.7f * (double) a[i];
            }
            Tensor at = f.tensor(a, n);
            Tensor bt = f.tensor(b, n);
            Tensor y = f.nan(n);
            f.ops().add(y, at, bt);
            Fixture.close("add", sum, Fixture.bound(sum, 1, 0), f.read(y));
            f.sink("axpy", scaled, Fixture.bound(scaled, 1, 0), s -> f.ops().axpy(s, -0.7f, at), n);
            f.ops().scale(y, at, -0.7f);
            Fixture.close("scale", scaled, Fixture.bound(scaled, 1, 0), f.read(y));
            f.ops().add(at, at, bt);
            Fixture.close("add in place", sum, Fixture.bound(sum, 1, 0), f.read(at));
          }
        });
  }

  @Test
  void fillCopyConvert() {
    Fixture.everywhere(
        f -> {
          for (int n : SIZES) {
            Tensor y = f.nan(n);
            f.ops().fill(y, 2.5f);
            double[] expected = new double[n];
            Arrays.fill(expected, 2.5);
            Fixture.close("fill", expected, new double[n], f.read(y));
            f.ops().fill(y, 0);
            Fixture.close("fill 0", new double[n], new double[n], f.read(y));
            float[] x = f.numbers(n, 100);
            Tensor xt = f.tensor(x, n);
            f.ops().copy(y, xt);
            assertArrayEquals(x, f.read(y));
            for (DType dtype : new DType[] {DType.BF16, DType.F16}) {
              Tensor half = f.scope().allocate(dtype, Shape.of(n));
              f.ops().convert(half, xt);
              f.ops().convert(y, half);
              double units = dtype == DType.BF16 ? 0x1p16 : 0x1p13;
              double[] same = new double[n];
              for (int i = 0; i < n; i++) {
                same[i] = x[i];
              }
              Fixture.close(dtype.name(), same, Fixture.bound(same, units, 1e-7), f.read(y));
              f.ops().fill(half, -1.5f);
              f.ops().convert(y, half);
              Arrays.fill(same, -1.5);
              Fixture.close(dtype + " fill", same, new double[n], f.read(y));
            }
          }
        });
  }

  @Test
  void roundingIsToNearestEvenAndNanStays() {
    assertEquals((short) 0x3F80, Storage.toBfloat16(Float.intBitsToFloat(0x3F808000)));
    assertEquals((short) 0x3F82, Storage.toBfloat16(Float.intBitsToFloat(0x3F818000)));
    assertEquals((short) 0x3F81, Storage.toBfloat16(Float.intBitsToFloat(0x3F808001)));
    assertEquals((short) 0x7F80, Storage.toBfloat16(Float.MAX_VALUE));
    assertTrue(Float.isNaN(Storage.fromBfloat16(Storage.toBfloat16(Float.NaN))));
    assertTrue(
        Float.isNaN(Storage.fromBfloat16(Storage.toBfloat16(Float.intBitsToFloat(0x7F800001)))));
    assertTrue(
        Float.isNaN(Storage.fromBfloat16(Storage.toBfloat16(Float.intBitsToFloat(0xFFFFFFFF)))));
  }

  @Test
  void computingOnHalvesSaysWhatToDo() {
    Fixture.everywhere(
        f -> {
          Tensor half = f.scope().allocate(DType.BF16, Shape.of(4));
          var e = assertThrows(IllegalArgumentException.class, () -> f.ops().add(half, half, half));
          assertTrue(e.getMessage().contains("convert to F32 first"), e.getMessage());
          f.read(f.tensor(new float[4], 4));
        });
  }

  @Test
  void activations() {
    Fixture.everywhere(
        f -> {
          int rows = 40;
          int width = 1001;
          float[] h = f.numbers(rows * width, 14);
          h[5] = 0;
          h[6] = -0f;
          float[] bias = f.numbers(width, 1);
          float[] dy = f.numbers(h.length, 2);
          for (Activation act : Activation.values()) {
            double[] pre = new double[h.length];
            double[] y = new double[h.length];
            double[] dx = new double[h.length];
            double[] bound = new double[h.length];
            double[] slope = new double[h.length];
            for (int i = 0; i < h.length; i++) {
              pre[i] = (double) h[i] + bias[i % width];
              float rounded = (float) pre[i];
              y[i] = activation(act, rounded);
              // relative accuracy down to the tail: an exponential multiplies the error of its
              // argument, which is a few roundoffs of x + x^3 / 11
              double argument = rounded < 0 ? -2 * rounded - 0.2 * Math.pow(rounded, 3) : 0;
              bound[i] = Fixture.EPS * (16 + 4 * argument) * Math.abs(y[i]) + 1e-36;
              double d = act == Activation.RELU ? (h[i] > 0 ? 1 : 0) : derivative(act, h[i]);
              dx[i] = dy[i] * d;
              // the derivative is a sum of two terms of up to 1.2
              slope[i] = Math.abs(dy[i]) * (24 * Fixture.EPS + 2e-9);
            }
            Tensor ht = f.tensor(h, rows, width);
            Tensor yt = f.nan(rows, width);
            f.ops().biasActivation(yt, ht, f.tensor(bias, width), act);
            Fixture.close(act + " h", pre, Fixture.bound(pre, 1, 0), f.read(ht));
            Fixture.close(act + " y", y, bound, f.read(yt));
            Tensor again = f.tensor(h, rows, width);
            Tensor dyt = f.tensor(dy, rows, width);
            f.sink(
                act + " dx",
                dx,
                slope,
                s -> f.ops().activationBackward(s, dyt, again, act),
                rows,
                width);
            f.ops().activationBackward(Sink.set(dyt), dyt, again, act);
            Fixture.close(act + " dx in place", dx, slope, f.read(dyt));
          }
        });
  }

  @Test
  void activationsAtTheEnds() {
    Fixture.everywhere(
        f -> {
          float[] x = {
            Float.NaN, Float.POSITIVE_INFINITY, 1e4f, 50, -50, -1e4f, -1e30f, 1e30f, -14.2f, -13, 0
          };
          for (Activation act : Activation.values()) {
            Tensor t = f.tensor(x, 1, x.length);
            f.ops().biasActivation(t, t, null, act);
            float[] y = f.read(t);
            assertTrue(Float.isNaN(y[0]), act + " NaN");
            assertEquals(Float.POSITIVE_INFINITY, y[1], act + " infinity");
            assertEquals(1e4f, y[2]);
            assertEquals(1e30f, y[7]);
            if (act != Activation.NONE) {
              for (int i = 4; i < 7; i++) {
                assertEquals(0, y[i], 1e-37, act + " of " + x[i]);
              }
            }
            Tensor one = f.tensor(new float[] {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 1, x.length);
            Tensor slope = f.nan(1, x.length);
            f.ops().activationBackward(Sink.set(slope), one, f.tensor(x, 1, x.length), act);
            float[] d = f.read(slope);
            for (int i : new int[] {2, 3, 7}) {
              assertEquals(1, d[i], 1e-6, act + " slope at " + x[i]);
            }
            if (act != Activation.NONE) {
              for (int i = 4; i < 7; i++) {
                assertEquals(0, d[i], 1e-30, act + " slope at " + x[i]);
              }
            }
          }
        });
  }

  @Test
  void dropoutDropsWhatPhiloxSays() {
    Fixture.everywhere(
        f -> {
          for (int n : SIZES) {
            float[] x = f.numbers(n, 1);
            double[] expected = new double[n];
            for (int i = 0; i < n; i++) {
              expected[i] = Philox.keeps(77L << 32 | 5, i, 0.3f) ? x[i] / 0.7 : 0;
              if (expected[i] == 0 && i % 2 == 0) {
                x[i] = Float.NaN; // a dropped value is never used
              }
            }
            Tensor xt = f.tensor(x, n);
            f.sink(
                "dropout",
                expected,
                Fixture.bound(expected, 4, 0),
                s -> f.ops().dropout(s, xt, 0.3f, 77L << 32 | 5),
                n);
          }
        });
  }

  @Test
  void adamW() {
    Fixture.everywhere(
        f -> {
          for (int n : SIZES) {
            float[] w = f.numbers(n, 1);
            float[] m = f.numbers(n, 1e-2);
            float[] v = f.numbers(n, 1e-4);
            float[] g = f.numbers(n, 1);
            for (int i = 0; i < n; i++) {
              v[i] = Math.abs(v[i]);
            }
            AdamWSpec spec = new AdamWSpec(1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 7, 0.5f);
            double[][] r = new double[6][n];
            for (int i = 0; i < n; i++) {
              double d = g[i] * 0.5;
              double b1 = 0.9f;
              double b2 = 0.95f;
              double lr = 1e-3f;
              r[1][i] = b1 * m[i] + (1 - b1) * d;
              r[2][i] = b2 * v[i] + (1 - b2) * d * d;
              double step = r[1][i] / (1 - Math.pow(b1, 7));
              step /= Math.sqrt(r[2][i] / (1 - Math.pow(b2, 7))) + 1e-8f;
              r[0][i] = w[i] - lr * 0.1f * w[i] - lr * step;
              r[3][i] = Fixture.EPS * (4 * Math.abs(w[i]) + 32 * lr * 10);
              r[4][i] = Fixture.EPS * 4 * (Math.abs(m[i]) + Math.abs(d));
              r[5][i] = Fixture.EPS * 4 * (v[i] + d * d);
            }
            Tensor wt = f.tensor(w, n);
            Tensor mt = f.tensor(m, n);
            Tensor vt = f.tensor(v, n);
            f.ops().adamW(wt, mt, vt, f.tensor(g, n), spec);
            Fixture.close("w", r[0], r[3], f.read(wt));
            Fixture.close("m", r[1], r[4], f.read(mt));
            Fixture.close("v", r[2], r[5], f.read(vt));
          }
        });
  }

  @Test
  void sumOfSquares() {
    Fixture.everywhere(
        f -> {
          for (int n : SIZES) {
            float[] x = f.numbers(n, 1);
            double sum = 0;
            for (float v : x) {
              sum += (double) v * v;
            }
            Tensor y = f.nan(1);
            f.ops().sumOfSquares(y, f.tensor(x, n));
            Fixture.close(
                "sum", new double[] {sum}, new double[] {64 * Fixture.EPS * sum}, f.read(y));
          }
        });
  }

  @Test
  void anUnalignedForeignSegmentIsReadable() {
    Fixture.everywhere(
        f -> {
          try (var arena = java.lang.foreign.Arena.ofShared()) {
            MemorySegment bytes = arena.allocate(4 * 100 + 1).asSlice(1).asReadOnly();
            Tensor t = new Tensor(CpuBuffer.wrap(bytes), DType.F32, Shape.of(100), 0);
            Tensor y = f.nan(100);
            f.ops().axpy(Sink.set(y), 2, t);
            assertArrayEquals(new float[100], f.read(y));
          }
        });
  }
}
