package org.quern.tck;

import java.util.Map;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Masked softmax and its gradient, with NaN in all hidden scores.
final class SoftmaxCases {
  private static final int HEAD_SIZE = 13;

  private SoftmaxCases() {}

  static void addTo(CaseList list) {
    for (AttentionShape s : AttentionShape.ALL) {
      for (Mask mask : AttentionShape.MASKS) {
        forward(list, s, mask, 0, 1);
        backward(list, s, mask, 0);
      }
      forward(list, s, Mask.CAUSAL, 0.2f, 1);
      forward(list, s, Mask.CAUSAL, 0, 1e4);
      backward(list, s, Mask.banded(5), 0.2f);
    }
  }

  private static double elements(AttentionShape s) {
    return (double) s.batch() * s.heads() * s.queries() * s.keys();
  }

  private static void forward(
      CaseList list, AttentionShape s, Mask mask, float dropout, double factor) {
    AttentionSpec spec = AttentionShape.spec(mask, HEAD_SIZE, dropout);
    Shape shape = Shape.of(s.batch(), s.heads(), s.queries(), s.keys());
    list.add(
        "maskedSoftmax",
        "%s %s dropout %s logits x%s"
            .formatted(s, AttentionShape.text(mask), dropout, (long) factor),
        5 * elements(s),
        t -> {
          double[] scores = s.scores(t, mask, factor);
          Tensor x = t.input("x", DType.F32, shape, scores);
          Tensor positions = s.positions(t);
          Tensor y = t.output("y", shape.toArray());
          Tensor lse = t.output("lse", s.batch(), s.heads(), s.queries());
          Tensor both = t.inOut("both", shape, scores);
          Tensor lse2 = t.output("lse2", s.batch(), s.heads(), s.queries());
          return () -> {
            t.ops().maskedSoftmax(y, lse, x, spec, positions);
            t.ops().maskedSoftmax(both, lse2, both, spec, positions);
          };
        });
  }

  private static void backward(CaseList list, AttentionShape s, Mask mask, float dropout) {
    AttentionSpec spec = AttentionShape.spec(mask, HEAD_SIZE, dropout);
    Shape shape = Shape.of(s.batch(), s.heads(), s.queries(), s.keys());
    Shape rows = Shape.of(s.batch(), s.heads(), s.queries());
    list.add(
        "maskedSoftmaxBackward",
        "%s %s dropout %s".formatted(s, AttentionShape.text(mask), dropout),
        8 * elements(s),
        t -> {
          Map<String, double[]> forward =
              t.exactly(
                  e -> {
                    Tensor x = e.input("x", DType.F32, shape, s.scores(e, mask, 1));
                    Tensor positions = s.positions(e);
                    Tensor y = e.output("y", shape.toArray());
                    Tensor lse = e.output("lse", rows.toArray());
                    return () -> e.ops().maskedSoftmax(y, lse, x, spec, positions);
                  });
          Tensor x = t.input("x", DType.F32, shape, s.scores(t, mask, 1));
          Tensor lse = t.input("lse", DType.F32, rows, NormCases.get(forward, "lse"));
          Tensor positions = s.positions(t);
          Tensor dy = t.normal("dy", shape.toArray());
          Sink set = t.sink("set", Sink.Mode.SET, shape.toArray());
          Sink add = t.sink("add", Sink.Mode.ADD, shape.toArray());
          Tensor both = t.inOut("both", shape, t.normals("both", shape.elements()));
          return () -> {
            t.ops().maskedSoftmaxBackward(set, dy, x, lse, spec, positions);
            t.ops().maskedSoftmaxBackward(add, dy, x, lse, spec, positions);
            t.ops().maskedSoftmaxBackward(Sink.set(both), both, x, lse, spec, positions);
          };
        });
  }
}
