package org.quern.tck;

import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Taking heads apart and putting them together: copies, so to the bit.
final class HeadCases {
  private static final int[] SIZES = {1, 7, 13, 64};

  private HeadCases() {}

  static void addTo(CaseList list) {
    AttentionShape[] shapes = {
      AttentionShape.of(1, 1, 1, 1, 0),
      AttentionShape.of(2, 3, 7, 7, 0, 0),
      AttentionShape.of(1, 2, 13, 64, 51),
      AttentionShape.of(3, 1, 1, 127, 126, 0, 60),
      AttentionShape.of(2, 2, 7, 13, -3, 10),
      AttentionShape.of(2, 1, 3, 5, 7, -9),
    };
    for (int size : SIZES) {
      for (AttentionShape s : shapes) {
        split(list, s, size);
      }
      for (Sink.Mode mode : CaseList.MODES) {
        splitBackward(list, mode, 2, 3, 7, size);
        mergeBackward(list, mode, 2, 3, 7, size);
      }
      merge(list, 2, 3, 7, size);
      merge(list, 1, 5, 127, size);
    }
    list.addOptional(
        "mergeHeads",
        "BF16",
        0,
        t -> {
          Tensor x = t.normal("x", DType.BF16, 2, 3, 7, 13);
          Tensor y = t.output("y", DType.BF16, 2, 7, 39);
          return () -> t.ops().mergeHeads(y, x);
        },
        DType.BF16);
  }

  private static void split(CaseList list, AttentionShape s, int size) {
    Shape cache = Shape.of(s.batch(), s.heads(), s.keys(), size);
    list.addExact(
        "splitHeads",
        s + " D=" + size,
        t -> {
          Tensor qkv = t.normal("qkv", s.batch(), s.queries(), 3L * s.heads() * size);
          Tensor positions = s.positions(t);
          Tensor q = t.output("q", s.batch(), s.heads(), s.queries(), size);
          Tensor k = t.inOut("k", cache, t.normals("k", cache.elements()));
          Tensor v = t.inOut("v", cache, t.normals("v", cache.elements()));
          return () -> t.ops().splitHeads(q, k, v, qkv, positions);
        });
  }

  private static void splitBackward(CaseList list, Sink.Mode mode, int b, int h, int s, int d) {
    list.add(
        "splitHeadsBackward",
        "%s [%d, %d, %d, %d]".formatted(mode, b, h, s, d),
        0,
        t -> {
          Tensor dq = t.normal("dq", b, h, s, d);
          Tensor dk = t.normal("dk", b, h, s, d);
          Tensor dv = t.normal("dv", b, h, s, d);
          Sink dqkv = t.sink("dqkv", mode, b, s, 3L * h * d);
          return () -> t.ops().splitHeadsBackward(dqkv, dq, dk, dv);
        });
  }

  private static void merge(CaseList list, int b, int h, int s, int d) {
    list.addExact(
        "mergeHeads",
        "[%d, %d, %d, %d]".formatted(b, h, s, d),
        t -> {
          Tensor x = t.normal("x", b, h, s, d);
          Tensor y = t.output("y", b, s, (long) h * d);
          return () -> t.ops().mergeHeads(y, x);
        });
  }

  private static void mergeBackward(CaseList list, Sink.Mode mode, int b, int h, int s, int d) {
    list.add(
        "mergeHeadsBackward",
        "%s [%d, %d, %d, %d]".formatted(mode, b, h, s, d),
        0,
        t -> {
          Tensor dy = t.normal("dy", b, s, (long) h * d);
          Sink dx = t.sink("dx", mode, b, h, s, d);
          return () -> t.ops().mergeHeadsBackward(dx, dy);
        });
  }
}
