package org.quern.tck;

import java.util.Map;
import org.quern.core.AttentionSpec;
import org.quern.core.Compositions;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Ops;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Attention and its gradient, with huge numbers in the rows of keys and values that nobody sees.
final class AttentionCases {
  private static final int[] SIZES = {1, 3, 7, 13, 64, 127};
  private static final AttentionShape PLAIN = AttentionShape.of(2, 3, 7, 7, 0, 0);
  private static final AttentionShape PADDED = AttentionShape.of(2, 2, 7, 13, -3, 6);

  private AttentionCases() {}

  static void addTo(CaseList list) {
    for (AttentionShape s : AttentionShape.ALL) {
      int size = s.keys() > 200 ? 13 : 64;
      for (Mask mask : AttentionShape.MASKS) {
        forward(list, s, mask, 7, 0, 1);
        backward(list, Sink.Mode.SET, s, mask, 7, 0);
      }
      forward(list, s, Mask.CAUSAL, size, 0.2f, 1);
      forward(list, s, Mask.CAUSAL, 7, 0, 100); // logits of 1e4
      backward(list, Sink.Mode.ADD, s, Mask.CAUSAL, size, 0.2f);
    }
    for (int size : SIZES) {
      for (AttentionShape s : new AttentionShape[] {PLAIN, PADDED}) {
        forward(list, s, Mask.banded(3), size, 0, 1);
        backward(list, Sink.Mode.SET, s, Mask.banded(3), size, 0);
        backward(list, Sink.Mode.ADD, s, Mask.banded(3), size, 0);
      }
    }
    for (AttentionShape s : new AttentionShape[] {PLAIN, PADDED, AttentionShape.ALL[5]}) {
      pairs(list, s, 13, 0, 1);
      pairs(list, s, 13, 0.2f, 1);
      pairs(list, s, 7, 0, 100);
    }
    list.addOptional(
        "attention",
        "F16 " + PLAIN,
        0,
        t -> {
          Tensor q = t.normal("q", DType.F16, 2, 3, 7, 13);
          Tensor k = t.normal("k", DType.F16, 2, 3, 7, 13);
          Tensor v = t.normal("v", DType.F16, 2, 3, 7, 13);
          Tensor y = t.output("y", DType.F16, 2, 3, 7, 13);
          Tensor lse = t.output("lse", 2, 3, 7);
          Tensor positions = PLAIN.positions(t);
          AttentionSpec spec = AttentionShape.spec(Mask.CAUSAL, 13, 0);
          return () -> t.ops().attention(y, lse, q, k, v, spec, positions, t.scope());
        },
        DType.F16);
  }

  /// Two products of all pairs.
  private static double flops(AttentionShape s, int size) {
    return 4.0 * s.batch() * s.heads() * s.queries() * s.keys() * size;
  }

  private static String label(AttentionShape s, Mask mask, int size, float dropout) {
    return "%s D=%d %s dropout %s".formatted(s, size, AttentionShape.text(mask), dropout);
  }

  /// Inputs and outputs of the forward.
  private record Io(Tensor q, Tensor k, Tensor v, Tensor positions, Tensor y, Tensor lse) {
    static Io make(Trial t, AttentionShape s, Mask mask, int size, double factor) {
      Shape rows = Shape.of(s.batch(), s.heads(), s.queries());
      Shape q = Shape.of(s.batch(), s.heads(), s.queries(), size);
      double[] values = t.normals("q", q.elements());
      for (int i = 0; i < values.length; i++) {
        values[i] *= factor;
      }
      return new Io(
          t.input("q", DType.F32, q, values),
          s.cache(t, "k", mask, size, factor),
          s.cache(t, "v", mask, size, 1),
          s.positions(t),
          t.output("y", q.toArray()),
          t.output("lse", rows.toArray()));
    }

    void forward(Ops ops, AttentionSpec spec, Trial t) {
      ops.attention(y, lse, q, k, v, spec, positions, t.scope());
    }
  }

  private static void forward(
      CaseList list, AttentionShape s, Mask mask, int size, float dropout, double factor) {
    AttentionSpec spec = AttentionShape.spec(mask, size, dropout);
    list.add(
        "attention",
        label(s, mask, size, dropout) + (factor == 1 ? "" : " extreme"),
        flops(s, size),
        t -> {
          Io io = Io.make(t, s, mask, size, factor);
          return () -> io.forward(t.ops(), spec, t);
        });
  }

  private static void backward(
      CaseList list, Sink.Mode mode, AttentionShape s, Mask mask, int size, float dropout) {
    AttentionSpec spec = AttentionShape.spec(mask, size, dropout);
    list.add(
        "attentionBackward",
        mode + " " + label(s, mask, size, dropout),
        2.5 * flops(s, size),
        t -> {
          Map<String, double[]> forward =
              t.exactly(
                  e -> {
                    Io io = Io.make(e, s, mask, size, 1);
                    return () -> io.forward(e.ops(), spec, e);
                  });
          Shape shape = Shape.of(s.batch(), s.heads(), s.queries(), size);
          Shape rows = Shape.of(s.batch(), s.heads(), s.queries());
          Tensor q = t.normal("q", shape.toArray());
          Tensor k = s.cache(t, "k", mask, size, 1);
          Tensor v = s.cache(t, "v", mask, size, 1);
          Tensor positions = s.positions(t);
          Tensor y = t.input("y", DType.F32, shape, NormCases.get(forward, "y"));
          Tensor lse = t.input("lse", DType.F32, rows, NormCases.get(forward, "lse"));
          Tensor dy = t.normal("dy", shape.toArray());
          Sink dq = t.sink("dq", mode, shape.toArray());
          Sink dk = t.sink("dk", mode, k.shape().toArray());
          Sink dv = t.sink("dv", mode, k.shape().toArray());
          return () ->
              t.ops()
                  .attentionBackward(dq, dk, dv, dy, y, lse, q, k, v, spec, positions, t.scope());
        });
  }

  /// Each forward, the backend's and the composition, with each backward.
  private static void pairs(
      CaseList list, AttentionShape s, int size, float dropout, double factor) {
    AttentionSpec spec = AttentionShape.spec(Mask.CAUSAL, size, dropout);
    for (int which = 0; which < 4; which++) {
      boolean ownForward = (which & 1) == 0;
      boolean ownBackward = (which & 2) == 0;
      list.add(
          "attention",
          "pair %s, %s: %s%s"
              .formatted(
                  ownForward ? "own" : "default",
                  ownBackward ? "own" : "default",
                  label(s, Mask.CAUSAL, size, dropout),
                  factor == 1 ? "" : " extreme"),
          3.5 * flops(s, size),
          t -> {
            Io io = Io.make(t, s, Mask.CAUSAL, size, factor);
            Tensor dy = t.normal("dy", io.q().shape().toArray());
            Sink dq = t.sink("dq", Sink.Mode.SET, io.q().shape().toArray());
            Sink dk = t.sink("dk", Sink.Mode.SET, io.k().shape().toArray());
            Sink dv = t.sink("dv", Sink.Mode.SET, io.k().shape().toArray());
            return () -> {
              if (ownForward) {
                io.forward(t.ops(), spec, t);
              } else {
                Compositions.attention(
                    t.ops(),
                    io.y(),
                    io.lse(),
                    io.q(),
                    io.k(),
                    io.v(),
                    spec,
                    io.positions(),
                    t.scope());
              }
              if (ownBackward) {
                t.ops()
                    .attentionBackward(
                        dq,
                        dk,
                        dv,
                        dy,
                        io.y(),
                        io.lse(),
                        io.q(),
                        io.k(),
                        io.v(),
                        spec,
                        io.positions(),
                        t.scope());
              } else {
                Compositions.attentionBackward(
                    t.ops(),
                    dq,
                    dk,
                    dv,
                    dy,
                    io.y(),
                    io.lse(),
                    io.q(),
                    io.k(),
                    io.v(),
                    spec,
                    io.positions(),
                    t.scope());
              }
            };
          });
    }
  }
}
