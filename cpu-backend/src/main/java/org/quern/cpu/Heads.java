package org.quern.cpu;

import static org.quern.cpu.CpuBuffer.floats;

import java.lang.foreign.MemorySegment;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Moves between token-major `[B, S, H D]` and head-major `[B, H, S, D]`.
final class Heads {
  private Heads() {}

  /// The sizes of a head-major tensor.
  private record Sizes(int batch, int heads, int tokens, int size) {
    static Sizes of(Tensor x) {
      return new Sizes(
          x.shape().intDim(0), x.shape().intDim(1), x.shape().intDim(2), x.shape().intDim(3));
    }

    int width() {
      return heads * size;
    }

    int rows() {
      return batch * tokens;
    }

    /// Where token `i` of head `h` of batch row `b` starts.
    long at(int b, int h, int i) {
      return (((long) b * heads + h) * tokens + i) * size;
    }
  }

  static void split(CpuOps ops, Tensor q, Tensor k, Tensor v, Tensor qkv, int[] positions) {
    Sizes one = Sizes.of(q);
    Sizes cache = Sizes.of(k);
    MemorySegment toQ = floats(q);
    MemorySegment toK = floats(k);
    MemorySegment toV = floats(v);
    MemorySegment from = floats(qkv);
    int width = one.width();
    int size = one.size();
    ops.eachRow(
        one.rows(),
        3 * width,
        1,
        (s, row) -> {
          int b = row / one.tokens();
          int i = row % one.tokens();
          long p = (long) positions[b] + i;
          boolean kept = p >= 0 && p < cache.tokens();
          long at = (long) row * 3 * width;
          for (int h = 0; h < one.heads(); h++, at += size) {
            Native.copy(toQ, one.at(b, h, i), from, at, size);
            if (kept) {
              long target = cache.at(b, h, (int) p);
              Native.copy(toK, target, from, at + width, size);
              Native.copy(toV, target, from, at + 2L * width, size);
            }
          }
        });
  }

  static void splitBackward(CpuOps ops, Sink dqkv, Tensor dq, Tensor dk, Tensor dv) {
    Sizes sizes = Sizes.of(dq);
    MemorySegment to = floats(dqkv.tensor());
    MemorySegment[] from = {floats(dq), floats(dk), floats(dv)};
    int width = sizes.width();
    ops.eachRow(
        sizes.rows(),
        3 * width,
        1,
        (s, row) -> {
          long at = (long) row * 3 * width;
          for (MemorySegment part : from) {
            toToken(ops, s, to, at, dqkv.mode(), part, sizes, row);
            at += width;
          }
        });
  }

  static void merge(CpuOps ops, Tensor y, Tensor x) {
    Sizes sizes = Sizes.of(x);
    MemorySegment to = floats(y);
    MemorySegment from = floats(x);
    int width = sizes.width();
    ops.eachRow(
        sizes.rows(),
        width,
        1,
        (s, row) -> toToken(ops, s, to, (long) row * width, Sink.Mode.SET, from, sizes, row));
  }

  /// Gathers the heads of one token.
  private static void toToken(
      CpuOps ops,
      Scratch scratch,
      MemorySegment to,
      long at,
      Sink.Mode mode,
      MemorySegment from,
      Sizes sizes,
      int row) {
    int b = row / sizes.tokens();
    int i = row % sizes.tokens();
    int size = sizes.size();
    for (int h = 0; h < sizes.heads(); h++) {
      move(ops, scratch, to, at + (long) h * size, mode, from, sizes.at(b, h, i), size);
    }
  }

  static void mergeBackward(CpuOps ops, Sink dx, Tensor dy) {
    Sizes sizes = Sizes.of(dx.tensor());
    MemorySegment to = floats(dx.tensor());
    MemorySegment from = floats(dy);
    int width = sizes.width();
    int size = sizes.size();
    ops.eachRow(
        sizes.rows(),
        width,
        1,
        (s, row) -> {
          int b = row / sizes.tokens();
          int i = row % sizes.tokens();
          for (int h = 0; h < sizes.heads(); h++) {
            long at = (long) row * width + (long) h * size;
            move(ops, s, to, sizes.at(b, h, i), dx.mode(), from, at, size);
          }
        });
  }

  private static void move(
      CpuOps ops,
      Scratch scratch,
      MemorySegment to,
      long at,
      Sink.Mode mode,
      MemorySegment from,
      long first,
      int count) {
    switch (mode) {
      case SET -> Native.copy(to, at, from, first, count);
      case ADD -> ops.kernels.axpy(scratch, to, at, mode, 1, from, first, count);
    }
  }
}
