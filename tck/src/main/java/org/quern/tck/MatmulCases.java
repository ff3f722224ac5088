package org.quern.tck;

import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.Compositions;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// Matrix products, column sums and linear maps.
final class MatmulCases {
  /// M, N, K.
  private static final int[][] SIZES = {
    {1, 1, 1},
    {3, 7, 1},
    {1, 13, 64},
    {13, 1, 127},
    {7, 64, 13},
    {127, 3, 207},
    {3, 5, 771},
    {1, 207, 771},
    {33, 65, 129},
    {64, 127, 207}
  };

  /// N, C, O.
  private static final int[][] LINEAR = {
    {1, 1, 1}, {1, 7, 13}, {3, 64, 127}, {13, 771, 3}, {64, 127, 64}, {127, 13, 207}, {1, 207, 771}
  };

  private static final long LARGE = 100_000;

  private MatmulCases() {}

  static void addTo(CaseList list) {
    for (int[] s : SIZES) {
      for (Trans ta : Trans.values()) {
        for (Trans tb : Trans.values()) {
          for (Sink.Mode mode : CaseList.MODES) {
            product(list, s[0], s[1], s[2], ta, tb, mode);
          }
        }
      }
    }
    for (Trans ta : Trans.values()) {
      for (Trans tb : Trans.values()) {
        batched(list, ta, tb);
      }
    }
    flattened(list);
    storages(list);
    for (int n : new int[] {1, 3, 64, 207}) {
      for (int c : new int[] {1, 7, 127, 771}) {
        columnSums(list, n, c);
      }
    }
    for (int[] s : LINEAR) {
      for (Activation f : CaseList.ACTIVATIONS) {
        linear(list, s[0], s[1], s[2], f);
      }
      linearBackward(list, s[0], s[1], s[2]);
      pairs(list, s[0], s[1], s[2]);
    }
  }

  private static void product(
      CaseList list, int m, int n, int k, Trans ta, Trans tb, Sink.Mode mode) {
    float alpha = mode == Sink.Mode.SET ? 1 : 0.5f;
    list.add(
        "matmul",
        "%s%s %s m=%d n=%d k=%d".formatted(ta, tb, mode, m, n, k),
        2.0 * m * n * k,
        t -> {
          Tensor a = ta == Trans.N ? t.normal("a", m, k) : t.normal("a", k, m);
          Tensor b = tb == Trans.N ? t.normal("b", k, n) : t.normal("b", n, k);
          Sink c = t.sink("c", mode, m, n);
          return () -> t.ops().matmul(c, a, ta, b, tb, alpha);
        });
  }

  private static void batched(CaseList list, Trans ta, Trans tb) {
    list.add(
        "matmul",
        "%s%s batched [2, 3]".formatted(ta, tb),
        2.0 * 6 * 7 * 13 * 5,
        t -> {
          Tensor a = ta == Trans.N ? t.normal("a", 2, 3, 7, 5) : t.normal("a", 2, 3, 5, 7);
          Tensor b = tb == Trans.N ? t.normal("b", 2, 3, 5, 13) : t.normal("b", 2, 3, 13, 5);
          Sink set = t.sink("set", Sink.Mode.SET, 2, 3, 7, 13);
          Sink add = t.sink("add", Sink.Mode.ADD, 2, 3, 7, 13);
          return () -> {
            t.ops().matmul(set, a, ta, b, tb, -1);
            t.ops().matmul(add, a, ta, b, tb, 0.3f);
          };
        });
  }

  private static void flattened(CaseList list) {
    list.add(
        "matmul",
        "flattened x w^T",
        2.0 * 14 * 13 * 5,
        t -> {
          Tensor x = t.normal("x", 2, 7, 5);
          Tensor w = t.normal("w", 13, 5);
          Sink y = t.sink("y", Sink.Mode.SET, 2, 7, 13);
          return () -> t.ops().matmul(y, x, Trans.N, w, Trans.T, 1);
        });
    list.add(
        "matmul",
        "flattened dy^T x",
        2.0 * 14 * 13 * 5,
        t -> {
          Tensor dy = t.normal("dy", 2, 7, 13);
          Tensor x = t.normal("x", 2, 7, 5);
          Sink dw = t.sink("dw", Sink.Mode.ADD, 13, 5);
          return () -> t.ops().matmul(dw, dy, Trans.T, x, Trans.N, 1);
        });
  }

  private static void storages(CaseList list) {
    for (DType dtype : new DType[] {DType.BF16, DType.F16}) {
      list.addOptional(
          "matmul",
          dtype + " operands",
          2.0 * 13 * 64 * 127,
          t -> {
            Tensor a = t.normal("a", dtype, 13, 127);
            Tensor b = t.normal("b", dtype, 64, 127);
            Tensor c = t.output("c", 13, 64);
            return () -> t.ops().matmul(Sink.set(c), a, Trans.N, b, Trans.T, 1);
          },
          dtype);
      list.addOptional(
          "linear",
          dtype + " weight",
          2.0 * 3 * 64 * 127,
          t -> {
            Tensor x = t.normal("x", 3, 127);
            Tensor w = t.normal("w", dtype, 64, 127);
            Tensor y = t.output("y", 3, 64);
            return () -> t.ops().linear(y, y, x, w, null, Activation.NONE);
          },
          dtype);
    }
  }

  private static void columnSums(CaseList list, int n, int c) {
    list.add(
        "sumRows",
        "[%d, %d]".formatted(n, c),
        n * c,
        t -> {
          Tensor dy = t.normal("dy", n, c);
          Sink set = t.sink("set", Sink.Mode.SET, c);
          Sink add = t.sink("add", Sink.Mode.ADD, c);
          return () -> {
            t.ops().sumRows(set, dy);
            t.ops().sumRows(add, dy);
          };
        });
  }

  private static void linear(CaseList list, int n, int c, int o, Activation f) {
    boolean large = (long) n * c * o > LARGE;
    for (boolean bias : new boolean[] {true, false}) {
      if (large && f != (bias ? Activation.GELU_TANH : Activation.NONE)) {
        continue; // the small sizes have every combination
      }
      list.add(
          "linear",
          "%s n=%d c=%d o=%d%s".formatted(f, n, c, o, bias ? " bias" : ""),
          2.0 * n * c * o,
          t -> {
            Tensor x = t.normal("x", n, c);
            Tensor w = t.normal("w", o, c);
            Tensor b = bias ? t.normal("bias", o) : null;
            Tensor y = t.output("y", n, o);
            Tensor h = t.output("h", n, o);
            Tensor both = t.output("both", n, o);
            Tensor composed = t.output("composed", n, o);
            Tensor prepared = t.output("prepared", n, o);
            Tensor own = t.backend().prepare(w, t.scope());
            return () -> {
              t.ops().linear(y, h, x, w, b, f);
              t.ops().linear(both, both, x, w, b, f);
              t.ops().linear(prepared, prepared, x, own, b, f);
              Compositions.linear(t.ops(), composed, composed, x, w, b, f);
            };
          });
    }
  }

  private static void linearBackward(CaseList list, int n, int c, int o) {
    for (Sink.Mode mode : CaseList.MODES) {
      for (boolean all : new boolean[] {true, false}) {
        Sink.Mode other = mode == Sink.Mode.SET ? Sink.Mode.ADD : Sink.Mode.SET;
        list.add(
            "linearBackward",
            "%s n=%d c=%d o=%d%s".formatted(mode, n, c, o, all ? " all" : " dw only"),
            (all ? 4.0 : 2.0) * n * c * o,
            t -> {
              Tensor dh = t.normal("dh", n, o);
              Tensor x = t.normal("x", n, c);
              Tensor w = t.normal("w", o, c);
              Sink dx = all ? t.sink("dx", mode, n, c) : null;
              Sink dw = t.sink("dw", other, o, c);
              Sink dbias = all ? t.sink("dbias", mode, o) : null;
              return () -> t.ops().linearBackward(dx, dw, dbias, dh, x, w);
            });
      }
    }
  }

  /// Each forward, the backend's and the composition, with each backward.
  private static void pairs(CaseList list, int n, int c, int o) {
    list.add(
        "linear",
        "pairs n=%d c=%d o=%d".formatted(n, c, o),
        4 * 6.0 * n * c * o,
        t -> {
          Tensor x = t.normal("x", n, c);
          Tensor w = t.normal("w", o, c);
          Tensor b = t.normal("bias", o);
          Tensor dy = t.normal("dy", n, o);
          Runnable[] all = new Runnable[4];
          for (int i = 0; i < 4; i++) {
            all[i] = pair(t, i, x, w, b, dy);
          }
          return () -> {
            for (Runnable r : all) {
              r.run();
            }
          };
        });
  }

  private static Runnable pair(
      Trial t, int which, Tensor x, Tensor w, @Nullable Tensor b, Tensor dy) {
    boolean ownForward = (which & 1) == 0;
    boolean ownBackward = (which & 2) == 0;
    Shape s = dy.shape();
    Tensor y = t.output("y" + which, s.toArray());
    Tensor h = t.output("h" + which, s.toArray());
    Tensor dh = t.output("dh" + which, s.toArray());
    Sink dx = t.sink("dx" + which, Sink.Mode.SET, x.shape().toArray());
    Sink dw = t.sink("dw" + which, Sink.Mode.SET, w.shape().toArray());
    Sink dbias = t.sink("dbias" + which, Sink.Mode.SET, s.last());
    Activation f = Activation.GELU_TANH;
    return () -> {
      if (ownForward) {
        t.ops().linear(y, h, x, w, b, f);
      } else {
        Compositions.linear(t.ops(), y, h, x, w, b, f);
      }
      t.ops().activationBackward(Sink.set(dh), dy, h, f);
      if (ownBackward) {
        t.ops().linearBackward(dx, dw, dbias, dh, x, w);
      } else {
        Compositions.linearBackward(t.ops(), dx, dw, dbias, dh, x, w);
      }
    };
  }
}
