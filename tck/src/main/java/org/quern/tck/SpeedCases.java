package org.quern.tck;

import java.util.Arrays;
import org.quern.core.Activation;
import org.quern.core.AttentionSpec;
import org.quern.core.Mask;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// Calls of the matrix products, the linear maps and attention at the sizes of GPT-2 small: for
/// [Speed], too large for the reference. The rest is in [SpeedRows].
final class SpeedCases {
  static final int C = 768;
  static final int HEADS = 12;
  static final int D = 64;
  static final int CONTEXT = 1024;
  static final int VOCABULARY = 50257;

  private SpeedCases() {}

  static void addTo(CaseList list) {
    for (Trans[] t : new Trans[][] {{Trans.N, Trans.T}, {Trans.N, Trans.N}, {Trans.T, Trans.N}}) {
      matmul(list, t[0], t[1]);
    }
    for (int n : new int[] {1, 256}) {
      linear(list, n, C, 3 * C);
      linear(list, n, 4 * C, C);
    }
    linear(list, 1, C, VOCABULARY);
    linearBackward(list, 256, C, 4 * C);
    maskedSoftmax(list);
    maskedSoftmaxBackward(list);
    attention(list, 1, CONTEXT);
    attention(list, 1, 1);
    attention(list, 16, 1);
    attentionBackward(list);
    SpeedRows.addTo(list);
  }

  private static void matmul(CaseList list, Trans ta, Trans tb) {
    int n = 1024;
    list.add(
        "matmul",
        "%s%s m=n=k=%d".formatted(ta, tb, n),
        2.0 * n * n * n,
        t -> {
          Tensor a = t.normal("a", n, n);
          Tensor b = t.normal("b", n, n);
          Sink c = t.sink("c", Sink.Mode.SET, n, n);
          return () -> t.ops().matmul(c, a, ta, b, tb, 1);
        });
  }

  private static void linear(CaseList list, int n, int c, int o) {
    list.add(
        "linear",
        "n=%d c=%d o=%d".formatted(n, c, o),
        2.0 * n * c * o,
        t -> {
          Tensor x = t.normal("x", n, c);
          Tensor w = t.backend().prepare(t.normal("w", o, c), t.scope());
          Tensor bias = t.normal("bias", o);
          Tensor y = t.output("y", n, o);
          return () -> t.ops().linear(y, y, x, w, bias, Activation.GELU_TANH);
        });
  }

  private static void linearBackward(CaseList list, int n, int c, int o) {
    list.add(
        "linearBackward",
        "n=%d c=%d o=%d".formatted(n, c, o),
        4.0 * n * c * o,
        t -> {
          Tensor dh = t.normal("dh", n, o);
          Tensor x = t.normal("x", n, c);
          Tensor w = t.normal("w", o, c);
          Sink dx = t.sink("dx", Sink.Mode.SET, n, c);
          Sink dw = t.sink("dw", Sink.Mode.ADD, o, c);
          Sink dbias = t.sink("dbias", Sink.Mode.ADD, o);
          return () -> t.ops().linearBackward(dx, dw, dbias, dh, x, w);
        });
  }

  /// Visible pairs of a query and a key of one text, when the last query is at the last key.
  private static double pairs(int queries) {
    return HEADS * (queries * (double) CONTEXT - queries * (queries - 1) / 2.0);
  }

  private static AttentionSpec spec() {
    return AttentionSpec.of(Mask.CAUSAL, 0.125f);
  }

  private static Tensor start(Trial t) {
    return t.ints("positions", Shape.of(1), 0);
  }

  /// Hidden scores are not read, but all weights are written.
  private static void maskedSoftmax(CaseList list) {
    double all = (double) HEADS * CONTEXT * CONTEXT;
    list.add(
        "maskedSoftmax",
        "causal B=1 S=T=" + CONTEXT,
        5 * pairs(CONTEXT),
        t -> {
          Tensor x = t.normal("x", 1, HEADS, CONTEXT, CONTEXT);
          Tensor y = t.output("y", 1, HEADS, CONTEXT, CONTEXT);
          Tensor lse = t.output("lse", 1, HEADS, CONTEXT);
          Tensor positions = start(t);
          t.moves(Float.BYTES * (pairs(CONTEXT) + all));
          return () -> t.ops().maskedSoftmax(y, lse, x, spec(), positions);
        });
  }

  private static void maskedSoftmaxBackward(CaseList list) {
    double all = (double) HEADS * CONTEXT * CONTEXT;
    list.add(
        "maskedSoftmaxBackward",
        "causal B=1 S=T=" + CONTEXT,
        8 * pairs(CONTEXT),
        t -> {
          Tensor x = t.normal("x", 1, HEADS, CONTEXT, CONTEXT);
          Tensor dy = t.normal("dy", 1, HEADS, CONTEXT, CONTEXT);
          Tensor dx = t.output("dx", 1, HEADS, CONTEXT, CONTEXT);
          Tensor lse = t.output("lse", 1, HEADS, CONTEXT);
          Tensor positions = start(t);
          t.ops().maskedSoftmax(dx, lse, x, spec(), positions);
          t.moves(Float.BYTES * (2 * pairs(CONTEXT) + all));
          return () -> t.ops().maskedSoftmaxBackward(Sink.set(dx), dy, x, lse, spec(), positions);
        });
  }

  /// Queries at the end of a full context: all of it, or the next token of each text.
  private static void attention(CaseList list, int batch, int queries) {
    list.add(
        "attention",
        "causal B=%d S=%d T=%d".formatted(batch, queries, CONTEXT),
        4.0 * D * batch * pairs(queries),
        t -> {
          Tensor q = t.normal("q", batch, HEADS, queries, D);
          Tensor k = t.normal("k", batch, HEADS, CONTEXT, D);
          Tensor v = t.normal("v", batch, HEADS, CONTEXT, D);
          Tensor y = t.output("y", batch, HEADS, queries, D);
          Tensor lse = t.output("lse", batch, HEADS, queries);
          int[] last = new int[batch];
          Arrays.fill(last, CONTEXT - queries);
          Tensor positions = t.ints("positions", Shape.of(batch), last);
          return () -> {
            try (Scope scratch = t.backend().open("call")) {
              t.ops().attention(y, lse, q, k, v, spec(), positions, scratch);
            }
          };
        });
  }

  /// 2.5 times the forward (arXiv:2307.08691, section 4.1).
  private static void attentionBackward(CaseList list) {
    int s = CONTEXT;
    list.add(
        "attentionBackward",
        "causal B=1 S=T=" + s,
        10 * D * pairs(s),
        t -> {
          Tensor q = t.normal("q", 1, HEADS, s, D);
          Tensor k = t.normal("k", 1, HEADS, s, D);
          Tensor v = t.normal("v", 1, HEADS, s, D);
          Tensor y = t.output("y", 1, HEADS, s, D);
          Tensor lse = t.output("lse", 1, HEADS, s);
          Tensor dy = t.normal("dy", 1, HEADS, s, D);
          Tensor positions = start(t);
          Sink dq = t.sink("dq", Sink.Mode.SET, 1, HEADS, s, D);
          Sink dk = t.sink("dk", Sink.Mode.SET, 1, HEADS, s, D);
          Sink dv = t.sink("dv", Sink.Mode.SET, 1, HEADS, s, D);
          t.ops().attention(y, lse, q, k, v, spec(), positions, t.scope());
          return () -> {
            try (Scope scratch = t.backend().open("call")) {
              t.ops()
                  .attentionBackward(dq, dk, dv, dy, y, lse, q, k, v, spec(), positions, scratch);
            }
          };
        });
  }
}
