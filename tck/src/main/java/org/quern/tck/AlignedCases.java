package org.quern.tck;

import java.util.Map;
import org.quern.core.Activation;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// Tensors as a model has them, at addresses and with widths for wide loads: backends have faster
/// kernels for them than for the odd ones of the other cases.
final class AlignedCases {
  private static final int[] HEAD_SIZES = {64, 128};

  /// One tile and a part of one, several of them, a long cache for one query and for a few, ragged
  /// texts, padding in front that sees nothing.
  private static final AttentionShape[] SHAPES = {
    AttentionShape.of(2, 3, 7, 7, 0, 0),
    AttentionShape.of(1, 1, 130, 130, 0),
    AttentionShape.of(1, 2, 65, 200, 135),
    AttentionShape.of(3, 2, 1, 300, 299, 0, 60),
    AttentionShape.of(2, 1, 3, 700, 697, 5),
    AttentionShape.of(2, 1, 16, 24, -3, 6),
  };

  private static final int[] ROWS = {8, 64, 200, 1024, 1500, 5000};

  private final CaseList list;
  private final DType dtype;

  private AlignedCases(CaseList list, DType dtype) {
    this.list = list;
    this.dtype = dtype;
  }

  static void addTo(CaseList list) {
    for (DType dtype : new DType[] {DType.F32, DType.BF16, DType.F16}) {
      AlignedCases cases = new AlignedCases(list, dtype);
      for (int size : HEAD_SIZES) {
        for (AttentionShape s : SHAPES) {
          cases.attention(s, Mask.CAUSAL, size, 0);
          cases.attention(s, Mask.banded(17), size, 0.2f);
          cases.attentionBackward(Sink.Mode.SET, s, Mask.CAUSAL, size, 0);
          cases.attentionBackward(Sink.Mode.ADD, s, Mask.banded(17), size, 0.2f);
        }
        cases.attention(SHAPES[2], Mask.FULL, size, 0);
        cases.attentionBackward(Sink.Mode.SET, SHAPES[2], Mask.FULL, size, 0);
      }
      for (int keys : ROWS) {
        cases.softmax(keys);
        cases.softmaxBackward(Sink.Mode.SET, keys);
        cases.softmaxBackward(Sink.Mode.ADD, keys);
      }
      for (int n : new int[] {1, 2, 8, 40}) {
        cases.linear(n, 64, 48);
        cases.linear(n, 768, 136);
      }
      cases.products();
      cases.rows();
    }
  }

  private void add(String op, String label, double flops, OpCase.Body body) {
    OpCase.Body aligned =
        t -> {
          t.align();
          return body.prepare(t);
        };
    String full = "aligned " + dtype + " " + label;
    if (dtype == DType.F32) {
      list.add(op, full, flops, aligned);
    } else {
      list.addOptional(op, full, flops, aligned, dtype);
    }
  }

  private Tensor normal(Trial t, String what, long... dims) {
    return t.normal(what, dtype, dims);
  }

  private Tensor output(Trial t, String what, long... dims) {
    return t.output(what, dtype, dims);
  }

  private Sink sink(Trial t, String what, Sink.Mode mode, long... dims) {
    Shape shape = Shape.of(dims);
    return switch (mode) {
      case SET -> Sink.set(output(t, what, dims));
      case ADD -> Sink.add(t.inOut(what, dtype, shape, t.normals("old " + what, shape.elements())));
    };
  }

  // --- attention ---

  private static long[] queries(AttentionShape s, int size) {
    return new long[] {s.batch(), s.heads(), s.queries(), size};
  }

  private static String label(AttentionShape s, Mask mask, int size, float dropout) {
    return "%s D=%d %s dropout %s".formatted(s, size, AttentionShape.text(mask), dropout);
  }

  private static double flops(AttentionShape s, int size) {
    return 4.0 * s.batch() * s.heads() * s.queries() * s.keys() * size;
  }

  private static Runnable forward(
      Trial t, DType dtype, AttentionShape s, Mask mask, int size, float dropout) {
    Tensor q = t.normal("q", dtype, queries(s, size));
    Tensor k = s.cache(t, "k", dtype, mask, size, 1);
    Tensor v = s.cache(t, "v", dtype, mask, size, 1);
    Tensor positions = s.positions(t);
    Tensor y = t.output("y", dtype, queries(s, size));
    Tensor lse = t.output("lse", s.batch(), s.heads(), s.queries());
    AttentionSpec spec = AttentionShape.spec(mask, size, dropout);
    return () -> t.ops().attention(y, lse, q, k, v, spec, positions, t.scope());
  }

  private void attention(AttentionShape s, Mask mask, int size, float dropout) {
    add(
        "attention",
        label(s, mask, size, dropout),
        flops(s, size),
        t -> forward(t, dtype, s, mask, size, dropout));
  }

  private void attentionBackward(
      Sink.Mode mode, AttentionShape s, Mask mask, int size, float dropout) {
    AttentionSpec spec = AttentionShape.spec(mask, size, dropout);
    add(
        "attentionBackward",
        mode + " " + label(s, mask, size, dropout),
        2.5 * flops(s, size),
        t -> {
          Map<String, double[]> saved = t.exactly(e -> forward(e, dtype, s, mask, size, dropout));
          Shape rows = Shape.of(s.batch(), s.heads(), s.queries());
          Shape shape = Shape.of(queries(s, size));
          Tensor q = normal(t, "q", queries(s, size));
          Tensor k = s.cache(t, "k", dtype, mask, size, 1);
          Tensor v = s.cache(t, "v", dtype, mask, size, 1);
          Tensor positions = s.positions(t);
          Tensor y = t.input("y", dtype, shape, NormCases.get(saved, "y"));
          Tensor lse = t.input("lse", DType.F32, rows, NormCases.get(saved, "lse"));
          Tensor dy = normal(t, "dy", queries(s, size));
          Sink dq = sink(t, "dq", mode, queries(s, size));
          Sink dk = sink(t, "dk", mode, k.shape().toArray());
          Sink dv = sink(t, "dv", mode, k.shape().toArray());
          return () ->
              t.ops()
                  .attentionBackward(dq, dk, dv, dy, y, lse, q, k, v, spec, positions, t.scope());
        });
  }

  // --- masked softmax ---

  private static final int TEXTS = 2;
  private static final int QUERIES = 5;

  private static Runnable softmax(Trial t, DType dtype, int keys) {
    Tensor x = t.normal("x", dtype, TEXTS, 1, QUERIES, keys);
    Tensor positions = positions(t, keys);
    Tensor y = t.output("y", dtype, TEXTS, 1, QUERIES, keys);
    Tensor lse = t.output("lse", TEXTS, 1, QUERIES);
    AttentionSpec spec = spec(keys);
    return () -> t.ops().maskedSoftmax(y, lse, x, spec, positions);
  }

  /// Of the first text the end of the row is seen, of the second its middle.
  private static Tensor positions(Trial t, int keys) {
    return t.ints("positions", Shape.of(TEXTS), keys - QUERIES, keys / 2);
  }

  private static AttentionSpec spec(int keys) {
    Mask mask = keys % 64 == 0 ? Mask.CAUSAL : Mask.banded(keys / 2 + 1);
    return AttentionShape.spec(mask, 64, keys % 64 == 0 ? 0 : 0.2f);
  }

  private void softmax(int keys) {
    add("maskedSoftmax", "T=" + keys, 8.0 * TEXTS * QUERIES * keys, t -> softmax(t, dtype, keys));
  }

  private void softmaxBackward(Sink.Mode mode, int keys) {
    add(
        "maskedSoftmaxBackward",
        mode + " T=" + keys,
        8.0 * TEXTS * QUERIES * keys,
        t -> {
          Map<String, double[]> saved = t.exactly(e -> softmax(e, dtype, keys));
          Tensor x = normal(t, "x", TEXTS, 1, QUERIES, keys);
          Shape shape = Shape.of(TEXTS, 1, QUERIES, keys);
          double[] values = t.normals("dy", shape.elements());
          for (int i = 0; i < values.length; i++) {
            values[i] *= keys; // so that what is added shows beside 16-bit numbers near 1
          }
          Tensor dy = t.input("dy", dtype, shape, values);
          Shape rows = Shape.of(TEXTS, 1, QUERIES);
          Tensor lse = t.input("lse", DType.F32, rows, NormCases.get(saved, "lse"));
          Tensor positions = positions(t, keys);
          Sink dx = sink(t, "dx", mode, TEXTS, 1, QUERIES, keys);
          return () -> t.ops().maskedSoftmaxBackward(dx, dy, x, lse, spec(keys), positions);
        });
  }

  // --- products ---

  private void linear(int n, int c, int o) {
    add(
        "linear",
        "n=%d C=%d O=%d".formatted(n, c, o),
        2.0 * n * c * o,
        t -> {
          Tensor x = normal(t, "x", n, c);
          Tensor w = normal(t, "w", o, c);
          Tensor bias = t.normal("bias", o);
          Tensor h = output(t, "h", n, o);
          Tensor y = output(t, "y", n, o);
          return () -> t.ops().linear(y, h, x, w, bias, Activation.GELU_TANH);
        });
    if (dtype != DType.F32) {
      add(
          "linear",
          "weights alone n=%d C=%d O=%d".formatted(n, c, o),
          2.0 * n * c * o,
          t -> {
            Tensor x = t.normal("x", n, c);
            Tensor w = normal(t, "w", o, c);
            Tensor y = t.output("y", n, o);
            return () -> t.ops().linear(y, y, x, w, null, Activation.NONE);
          });
    }
  }

  private void products() {
    for (Trans ta : Trans.values()) {
      for (Trans tb : Trans.values()) {
        add(
            "matmul",
            "%s%s".formatted(ta, tb),
            2.0 * 2 * 48 * 64 * 80,
            t -> {
              Tensor a = ta == Trans.N ? normal(t, "a", 2, 48, 80) : normal(t, "a", 2, 80, 48);
              Tensor b = tb == Trans.N ? normal(t, "b", 2, 80, 64) : normal(t, "b", 2, 64, 80);
              Sink c = sink(t, "c", Sink.Mode.ADD, 2, 48, 64);
              return () -> t.ops().matmul(c, a, ta, b, tb, 0.5f);
            });
      }
    }
  }

  // --- elements and rows ---

  private void rows() {
    add(
        "add",
        "",
        1024,
        t -> {
          Tensor a = normal(t, "a", 1024);
          Tensor b = normal(t, "b", 1024);
          Tensor y = output(t, "y", 1024);
          return () -> t.ops().add(y, a, b);
        });
    add(
        "layerNorm",
        "",
        8.0 * 5 * 768,
        t -> {
          Tensor x = normal(t, "x", 5, 768);
          Tensor gamma = t.normal("gamma", 768);
          Tensor beta = t.normal("beta", 768);
          Tensor y = output(t, "y", 5, 768);
          Tensor mean = t.output("mean", 5);
          Tensor rstd = t.output("rstd", 5);
          return () -> t.ops().layerNorm(y, mean, rstd, x, gamma, beta, 1e-5f);
        });
    add(
        "crossEntropy",
        "",
        6.0 * 4 * 512,
        t -> {
          Tensor x = normal(t, "x", 4, 512);
          Tensor targets = t.ints("targets", Shape.of(4), 0, 511, -1, 77);
          Tensor losses = t.output("losses", 4);
          Tensor dx = output(t, "dx", 4, 512);
          return () -> t.ops().crossEntropy(losses, dx, x, targets, -1, 0.25f);
        });
  }
}
