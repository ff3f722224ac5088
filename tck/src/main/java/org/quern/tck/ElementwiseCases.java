package org.quern.tck;

import org.quern.core.Activation;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Memory and elementwise operations.
final class ElementwiseCases {
  private static final long SEED = 0x123456789ABCDEFL;

  /// Ties, what overflows a half, what is subnormal in one, and what is not a number.
  private static final double[] SPECIAL = {
    0,
    -0.0,
    1,
    -1,
    1.0 / 3,
    1 + 0x1p-8,
    1 + 0x3p-8,
    1 + 0x1p-9,
    1 + 0x1p-11,
    1 + 0x3p-11,
    65504,
    65519,
    65520,
    -1e5,
    0x1p-14,
    0x1p-24,
    0x1p-25,
    0x1.8p-25,
    3e-8,
    1e-10,
    1e30,
    3.4e38,
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY,
    Double.NaN,
    0x1.fffffep127,
    0x1p-126
  };

  private ElementwiseCases() {}

  static void addTo(CaseList list) {
    for (int n : CaseList.SIZES) {
      memory(list, n);
      sums(list, n);
      for (Sink.Mode mode : CaseList.MODES) {
        list.add(
            "dropout",
            mode + " [" + n + "]",
            n,
            t -> {
              Tensor x = t.normal("x", n);
              Sink y = t.sink("y", mode, n);
              return () -> t.ops().dropout(y, x, 0.3f, SEED + n);
            });
      }
    }
    dropoutRates(list);
    conversions(list);
    for (Activation f : CaseList.ACTIVATIONS) {
      for (long[] s : new long[][] {{1, 1}, {7, 13}, {3, 127}, {13, 771}}) {
        activation(list, f, s[0], s[1]);
      }
    }
    list.addOptional(
        "add",
        "BF16 [207]",
        207,
        t -> {
          Tensor a = t.normal("a", DType.BF16, 207);
          Tensor b = t.normal("b", DType.BF16, 207);
          Tensor y = t.output("y", DType.BF16, 207);
          return () -> t.ops().add(y, a, b);
        },
        DType.BF16);
  }

  private static void memory(CaseList list, int n) {
    list.addExact(
        "fill",
        "[" + n + "]",
        t -> {
          Tensor y = t.output("y", n);
          return () -> t.ops().fill(y, -2.5f);
        });
    list.addExact(
        "copy",
        "[" + n + "]",
        t -> {
          Tensor x = t.normal("x", n);
          Tensor y = t.output("y", n);
          return () -> t.ops().copy(y, x);
        });
  }

  private static void sums(CaseList list, int n) {
    list.add(
        "add",
        "[" + n + "]",
        n,
        t -> {
          Tensor a = t.normal("a", n);
          Tensor b = t.normal("b", n);
          Tensor y = t.output("y", n);
          return () -> t.ops().add(y, a, b);
        });
    list.add(
        "add",
        "in place [" + n + "]",
        n,
        t -> {
          Tensor a = t.normal("a", n);
          Tensor y = t.inOut("y", Shape.of(n), t.normals("y", n));
          Tensor z = t.inOut("z", Shape.of(n), t.normals("z", n));
          return () -> {
            t.ops().add(y, y, a);
            t.ops().add(z, a, z);
          };
        });
    list.add(
        "scale",
        "[" + n + "]",
        n,
        t -> {
          Tensor x = t.normal("x", n);
          Tensor y = t.output("y", n);
          Tensor z = t.inOut("z", Shape.of(n), t.normals("z", n));
          return () -> {
            t.ops().scale(y, x, 0.7f);
            t.ops().scale(z, z, -1.3f);
          };
        });
    for (Sink.Mode mode : CaseList.MODES) {
      list.add(
          "axpy",
          mode + " [" + n + "]",
          2 * n,
          t -> {
            Tensor x = t.normal("x", n);
            Sink y = t.sink("y", mode, n);
            return () -> t.ops().axpy(y, 0.7f, x);
          });
    }
  }

  private static void dropoutRates(CaseList list) {
    for (float rate : new float[] {0, 0.1f, 0.5f, 0.999f}) {
      list.add(
          "dropout",
          "rate " + rate,
          2003,
          t -> {
            Tensor x = t.normal("x", 2003);
            Sink y = t.sink("y", Sink.Mode.SET, 2003);
            return () -> t.ops().dropout(y, x, rate, -SEED);
          });
    }
  }

  private static void conversions(CaseList list) {
    for (DType from : new DType[] {DType.F32, DType.BF16, DType.F16}) {
      for (DType to : new DType[] {DType.F32, DType.BF16, DType.F16}) {
        list.addExact(
            "convert",
            from + " to " + to,
            t -> {
              Tensor x = t.input("x", from, Shape.of(SPECIAL.length), SPECIAL);
              Tensor y = t.output("y", to, SPECIAL.length);
              Tensor many = t.normal("many", from, 207);
              Tensor out = t.output("out", to, 207);
              return () -> {
                t.ops().convert(y, x);
                t.ops().convert(out, many);
              };
            },
            from,
            to);
      }
    }
    for (DType dtype : new DType[] {DType.BF16, DType.F16, DType.I32}) {
      list.addExact(
          "copy",
          dtype + " [127]",
          t -> {
            Tensor x = t.normal("x", dtype, 127);
            Tensor y = t.output("y", dtype, 127);
            return () -> t.ops().copy(y, x);
          },
          dtype);
    }
  }

  /// Wide enough that tanh, erf and exp reach their ends.
  private static double[] wide(Trial t, String what, long count) {
    double[] x = t.normals(what, count);
    for (int i = 0; i < x.length; i++) {
      x[i] *= i % 5 == 0 ? 30 : 2;
    }
    x[0] = 0;
    return x;
  }

  private static void activation(CaseList list, Activation f, long n, long c) {
    Shape s = Shape.of(n, c);
    for (boolean bias : new boolean[] {true, false}) {
      list.add(
          "biasActivation",
          f + " " + s + (bias ? " bias" : ""),
          n * c,
          t -> {
            Tensor b = bias ? t.normal("bias", c) : null;
            Tensor h = t.inOut("h", s, wide(t, "h", n * c));
            Tensor y = t.output("y", n, c);
            Tensor both = t.inOut("both", s, wide(t, "both", n * c));
            return () -> {
              t.ops().biasActivation(y, h, b, f);
              t.ops().biasActivation(both, both, b, f);
            };
          });
    }
    for (Sink.Mode mode : CaseList.MODES) {
      list.add(
          "activationBackward",
          f + " " + mode + " " + s,
          n * c,
          t -> {
            Tensor h = t.input("h", DType.F32, s, wide(t, "h", n * c));
            Tensor dy = t.normal("dy", n, c);
            Sink dx = t.sink("dx", mode, n, c);
            Tensor both = t.inOut("both", s, t.normals("both", n * c));
            return () -> {
              t.ops().activationBackward(dx, dy, h, f);
              t.ops().activationBackward(Sink.set(both), both, h, f);
            };
          });
    }
  }
}
