package org.quern.tck;

import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.Compositions;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Layer normalization.
final class NormCases {
  private static final int[][] SIZES = {
    {1, 1}, {3, 7}, {7, 13}, {7, 64}, {13, 127}, {64, 3}, {5, 207}, {3, 771}
  };
  private static final float EPSILON = 1e-5f;

  private NormCases() {}

  /// What the rows are like.
  private enum Rows {
    /// Normal numbers.
    NORMAL,
    /// Far from 0: the variance in one pass would lose all digits.
    FAR,
    /// All elements equal: the variance is 0.
    CONSTANT
  }

  static void addTo(CaseList list) {
    for (int[] s : SIZES) {
      for (boolean bias : new boolean[] {true, false}) {
        forward(list, Rows.NORMAL, s[0], s[1], bias);
        addForward(list, s[0], s[1], bias);
      }
      for (Sink.Mode mode : CaseList.MODES) {
        backward(list, mode, s[0], s[1], true);
        backward(list, mode, s[0], s[1], false);
        addBackward(list, mode, s[0], s[1]);
      }
      pairs(list, s[0], s[1]);
    }
    for (Rows rows : new Rows[] {Rows.FAR, Rows.CONSTANT}) {
      for (int[] s : new int[][] {{3, 13}, {3, 127}, {2, 771}}) {
        forward(list, rows, s[0], s[1], true);
      }
    }
  }

  private static double[] values(Trial t, Rows rows, String what, int n, int c) {
    double[] x = t.normals(what, (long) n * c);
    for (int i = 0; i < x.length; i++) {
      switch (rows) {
        case NORMAL -> {}
        case FAR -> x[i] += 1000;
        case CONSTANT -> x[i] = 3.3;
      }
    }
    return x;
  }

  private static String label(int n, int c, boolean bias) {
    return "[%d, %d]%s".formatted(n, c, bias ? " beta" : "");
  }

  private static void forward(CaseList list, Rows rows, int n, int c, boolean bias) {
    list.add(
        "layerNorm",
        rows + " " + label(n, c, bias),
        8.0 * n * c,
        t -> {
          Tensor x = t.input("x", DType.F32, Shape.of(n, c), values(t, rows, "x", n, c));
          Tensor gamma = t.normal("gamma", c);
          Tensor beta = bias ? t.normal("beta", c) : null;
          Tensor y = t.output("y", n, c);
          Tensor mean = t.output("mean", n);
          Tensor rstd = t.output("rstd", n);
          return () -> t.ops().layerNorm(y, mean, rstd, x, gamma, beta, EPSILON);
        });
  }

  private static void addForward(CaseList list, int n, int c, boolean bias) {
    for (String alias : new String[] {"", " sum=a", " sum=b"}) {
      list.add(
          "addLayerNorm",
          label(n, c, bias) + alias,
          9.0 * n * c,
          t -> {
            Shape s = Shape.of(n, c);
            Tensor sum =
                alias.isEmpty()
                    ? t.output("sum", n, c)
                    : t.inOut("sum", s, t.normals("sum", s.elements()));
            Tensor a = alias.equals(" sum=a") ? sum : t.normal("a", n, c);
            Tensor b = alias.equals(" sum=b") ? sum : t.normal("b", n, c);
            Tensor gamma = t.normal("gamma", c);
            Tensor beta = bias ? t.normal("beta", c) : null;
            Tensor y = t.output("y", n, c);
            Tensor mean = t.output("mean", n);
            Tensor rstd = t.output("rstd", n);
            return () -> t.ops().addLayerNorm(sum, y, mean, rstd, a, b, gamma, beta, EPSILON);
          });
    }
  }

  /// The inputs of a backward: x, gamma, and the statistics that a forward saves.
  private record Saved(Tensor x, Tensor gamma, Tensor mean, Tensor rstd) {}

  private static Saved saved(Trial t, int n, int c) {
    Map<String, double[]> forward =
        t.exactly(
            e -> {
              Tensor x = e.normal("x", n, c);
              Tensor gamma = e.normal("gamma", c);
              Tensor y = e.output("y", n, c);
              Tensor mean = e.output("mean", n);
              Tensor rstd = e.output("rstd", n);
              return () -> e.ops().layerNorm(y, mean, rstd, x, gamma, null, EPSILON);
            });
    return new Saved(
        t.normal("x", n, c),
        t.normal("gamma", c),
        t.input("mean", DType.F32, Shape.of(n), get(forward, "mean")),
        t.input("rstd", DType.F32, Shape.of(n), get(forward, "rstd")));
  }

  static double[] get(Map<String, double[]> results, String name) {
    double[] x = results.get(name);
    if (x == null) {
      throw new IllegalArgumentException(
          "no result '%s' among %s".formatted(name, Arrays.toString(results.keySet().toArray())));
    }
    return x;
  }

  private static void backward(CaseList list, Sink.Mode mode, int n, int c, boolean bias) {
    Sink.Mode other = mode == Sink.Mode.SET ? Sink.Mode.ADD : Sink.Mode.SET;
    list.add(
        "layerNormBackward",
        mode + " " + label(n, c, bias),
        14.0 * n * c,
        t -> {
          Saved s = saved(t, n, c);
          Tensor dy = t.normal("dy", n, c);
          Sink dx = t.sink("dx", mode, n, c);
          Sink dgamma = t.sink("dgamma", bias ? mode : other, c);
          Sink dbeta = bias ? t.sink("dbeta", other, c) : null;
          return () ->
              t.ops()
                  .layerNormBackward(dx, dgamma, dbeta, dy, s.x(), s.gamma(), s.mean(), s.rstd());
        });
  }

  private static void addBackward(CaseList list, Sink.Mode mode, int n, int c) {
    list.add(
        "addLayerNormBackward",
        mode + " " + label(n, c, true),
        15.0 * n * c,
        t -> {
          Saved s = saved(t, n, c);
          Tensor dy = t.normal("dy", n, c);
          Sink dsum = t.sink("dsum", mode, n, c);
          Sink dgamma = t.sink("dgamma", mode, c);
          Sink dbeta = t.sink("dbeta", mode, c);
          return () ->
              t.ops()
                  .addLayerNormBackward(
                      dsum, dgamma, dbeta, dy, s.x(), s.gamma(), s.mean(), s.rstd());
        });
  }

  /// Each forward, the backend's and the composition, with each backward.
  private static void pairs(CaseList list, int n, int c) {
    list.add(
        "addLayerNorm",
        "pairs [%d, %d]".formatted(n, c),
        4 * 24.0 * n * c,
        t -> {
          Tensor a = t.normal("a", n, c);
          Tensor b = t.normal("b", n, c);
          Tensor gamma = t.normal("gamma", c);
          Tensor dy = t.normal("dy", n, c);
          Runnable[] all = new Runnable[4];
          for (int i = 0; i < 4; i++) {
            all[i] = pair(t, i, a, b, gamma, null, dy);
          }
          return () -> {
            for (Runnable r : all) {
              r.run();
            }
          };
        });
  }

  private static Runnable pair(
      Trial t, int which, Tensor a, Tensor b, Tensor gamma, @Nullable Tensor beta, Tensor dy) {
    long n = a.shape().dim(0);
    long c = a.shape().dim(1);
    Tensor sum = t.output("sum" + which, n, c);
    Tensor y = t.output("y" + which, n, c);
    Tensor mean = t.output("mean" + which, n);
    Tensor rstd = t.output("rstd" + which, n);
    Sink dsum = t.sink("dsum" + which, Sink.Mode.ADD, n, c);
    Sink dgamma = t.sink("dgamma" + which, Sink.Mode.SET, c);
    Sink dbeta = t.sink("dbeta" + which, Sink.Mode.SET, c);
    return () -> {
      if ((which & 1) == 0) {
        t.ops().addLayerNorm(sum, y, mean, rstd, a, b, gamma, beta, EPSILON);
      } else {
        Compositions.addLayerNorm(t.ops(), sum, y, mean, rstd, a, b, gamma, beta, EPSILON);
      }
      if ((which & 2) == 0) {
        t.ops().addLayerNormBackward(dsum, dgamma, dbeta, dy, sum, gamma, mean, rstd);
      } else {
        Compositions.addLayerNormBackward(t.ops(), dsum, dgamma, dbeta, dy, sum, gamma, mean, rstd);
      }
    };
  }
}
