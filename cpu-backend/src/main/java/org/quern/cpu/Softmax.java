package org.quern.cpu;

import static org.quern.cpu.CpuBuffer.floats;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.quern.core.AttentionSpec;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// The masked softmax of attention, row by row: the kernels see visible keys only.
final class Softmax {
  /// Elementary operations an element: an exponential, and the maximum before it.
  private static final int COST = 10;

  private Softmax() {}

  /// The sizes of the matrix of scores, and which part of a row is visible.
  private static final class Rows {
    private final AttentionSpec spec;
    private final int[] positions;
    private final int queries;
    private final int keys;
    private final int perBatch;

    Rows(Tensor x, AttentionSpec spec, int[] positions) {
      this.spec = spec;
      this.positions = positions;
      this.queries = x.shape().intDim(2);
      this.keys = x.shape().intDim(3);
      this.perBatch = x.shape().intDim(1) * queries;
    }

    private int position(int row) {
      return positions[row / perBatch] + row % queries;
    }

    int first(int row) {
      return Math.min(keys, spec.mask().firstKey(position(row)));
    }

    int end(int row) {
      return Math.max(first(row), spec.mask().endKey(position(row), keys));
    }

    /// The factors of dropout for the visible keys, or null without dropout.
    float @Nullable [] factors(Kernels kernels, Scratch scratch, int row, int first, int count) {
      if (spec.dropout() == 0) {
        return null;
      }
      float[] out = scratch.floats(Slots.DROPOUT, count);
      long at = (long) row * keys + first;
      kernels.dropoutFactors(scratch, out, spec.seed(), at, count, spec.dropout());
      return out;
    }
  }

  static void forward(
      CpuOps ops, Tensor y, Tensor lse, Tensor x, AttentionSpec spec, int[] positions) {
    Rows rows = new Rows(x, spec, positions);
    MemorySegment to = floats(y);
    MemorySegment lses = floats(lse);
    MemorySegment from = floats(x);
    int keys = rows.keys;
    ops.eachRow(
        CpuOps.rows(x),
        keys,
        COST,
        (s, row) -> {
          long at = (long) row * keys;
          int first = rows.first(row);
          int end = rows.end(row);
          if (first < end) {
            int count = end - first;
            float[] factors = rows.factors(ops.kernels, s, row, first, count);
            float sum =
                ops.kernels.softmaxRow(s, to, from, at + first, count, spec.scale(), factors);
            Native.set(lses, row, sum);
          } else {
            Native.set(lses, row, Float.POSITIVE_INFINITY);
          }
          ops.kernels.fill(to, at, first, 0);
          ops.kernels.fill(to, at + end, keys - end, 0);
        });
  }

  static void backward(
      CpuOps ops, Sink dx, Tensor dy, Tensor x, Tensor lse, AttentionSpec spec, int[] positions) {
    Rows rows = new Rows(x, spec, positions);
    MemorySegment to = floats(dx.tensor());
    MemorySegment grad = floats(dy);
    MemorySegment from = floats(x);
    MemorySegment lses = floats(lse);
    int keys = rows.keys;
    ops.eachRow(
        CpuOps.rows(x),
        keys,
        COST,
        (s, row) -> {
          long at = (long) row * keys;
          int first = rows.first(row);
          int end = rows.end(row);
          if (first < end) {
            float[] factors = rows.factors(ops.kernels, s, row, first, end - first);
            ops.kernels.softmaxBackwardRow(
                s,
                to,
                dx.mode(),
                grad,
                from,
                at + first,
                end - first,
                spec.scale(),
                Native.get(lses, row),
                factors);
          }
          if (!dx.adds()) {
            ops.kernels.fill(to, at, first, 0);
            ops.kernels.fill(to, at + end, keys - end, 0);
          }
        });
  }
}
