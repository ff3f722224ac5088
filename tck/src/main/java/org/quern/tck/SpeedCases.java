package org.quern.tck;

import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.AttentionSpec;
import org.quern.core.Mask;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// One call of each expensive operation at the sizes of GPT-2 small: for [Speed], too large for the
/// reference.
final class SpeedCases {
  private static final int C = 768;
  private static final int HEADS = 12;
  private static final int D = 64;
  private static final int VOCABULARY = 50257;
  private static final float EPSILON = 1e-5f;

  private SpeedCases() {}

  static void addTo(CaseList list) {
    for (int n : new int[] {1, 256}) {
      linear(list, n, C, 3 * C);
      linear(list, n, 4 * C, C);
    }
    linearBackward(list, 256, C, 4 * C);
    attention(list, 512, 512);
    attention(list, 1, 1024);
    attentionBackward(list, 512);
    rows(list, 512);
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

  /// Visible pairs of a query and a key, when the last query is at the last key.
  private static double pairs(int queries, int keys) {
    return HEADS * (queries * (double) keys - queries * (queries - 1) / 2.0);
  }

  private static AttentionSpec spec() {
    return AttentionSpec.of(Mask.CAUSAL, 0.125f);
  }

  private static void attention(CaseList list, int queries, int keys) {
    list.add(
        "attention",
        "causal S=%d T=%d".formatted(queries, keys),
        4 * D * pairs(queries, keys),
        t -> {
          Tensor q = t.normal("q", 1, HEADS, queries, D);
          Tensor k = t.normal("k", 1, HEADS, keys, D);
          Tensor v = t.normal("v", 1, HEADS, keys, D);
          Tensor y = t.output("y", 1, HEADS, queries, D);
          Tensor lse = t.output("lse", 1, HEADS, queries);
          Tensor positions = t.ints("positions", Shape.of(1), keys - queries);
          return () -> t.ops().attention(y, lse, q, k, v, spec(), positions, t.scope());
        });
  }

  /// 2.5 times the forward (arXiv:2307.08691, section 4.1).
  private static void attentionBackward(CaseList list, int length) {
    list.add(
        "attentionBackward",
        "causal S=%d".formatted(length),
        10 * D * pairs(length, length),
        t -> {
          Tensor q = t.normal("q", 1, HEADS, length, D);
          Tensor k = t.normal("k", 1, HEADS, length, D);
          Tensor v = t.normal("v", 1, HEADS, length, D);
          Tensor y = t.output("y", 1, HEADS, length, D);
          Tensor lse = t.output("lse", 1, HEADS, length);
          Tensor dy = t.normal("dy", 1, HEADS, length, D);
          Tensor positions = t.ints("positions", Shape.of(1), 0);
          Sink dq = t.sink("dq", Sink.Mode.SET, 1, HEADS, length, D);
          Sink dk = t.sink("dk", Sink.Mode.SET, 1, HEADS, length, D);
          Sink dv = t.sink("dv", Sink.Mode.SET, 1, HEADS, length, D);
          t.ops().attention(y, lse, q, k, v, spec(), positions, t.scope());
          return () ->
              t.ops()
                  .attentionBackward(dq, dk, dv, dy, y, lse, q, k, v, spec(), positions, t.scope());
        });
  }

  private static void rows(CaseList list, int n) {
    list.add(
        "layerNorm",
        "[%d, %d]".formatted(n, C),
        8.0 * n * C,
        t -> {
          Tensor x = t.normal("x", n, C);
          Tensor gamma = t.normal("gamma", C);
          Tensor y = t.output("y", n, C);
          Tensor mean = t.output("mean", n);
          Tensor rstd = t.output("rstd", n);
          return () -> t.ops().layerNorm(y, mean, rstd, x, gamma, null, EPSILON);
        });
    list.add(
        "crossEntropy",
        "N=16 V=" + VOCABULARY,
        6.0 * 16 * VOCABULARY,
        t -> {
          Tensor x = t.normal("x", 16, VOCABULARY);
          Tensor targets = t.ints("targets", Shape.of(16), new int[16]);
          Tensor losses = t.output("losses", 16);
          Tensor dx = t.output("dx", 16, VOCABULARY);
          return () -> t.ops().crossEntropy(losses, dx, x, targets, -1, 1f / 16);
        });
    list.add(
        "adamW",
        "[%d, %d]".formatted(4 * C, C),
        14.0 * 4 * C * C,
        t -> {
          Shape s = Shape.of(4L * C, C);
          Tensor w = t.inOut("w", s, t.normals("w", s.elements()));
          Tensor m = t.inOut("m", s, new double[4 * C * C]);
          Tensor v = t.inOut("v", s, new double[4 * C * C]);
          Tensor g = t.normal("g", 4 * C, C);
          AdamWSpec spec = new AdamWSpec(1e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, 1, 1);
          return () -> t.ops().adamW(w, m, v, g, spec);
        });
  }
}
