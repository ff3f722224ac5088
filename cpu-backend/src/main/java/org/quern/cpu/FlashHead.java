package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import org.quern.core.AttentionSpec;
import org.quern.core.Mask;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// What the passes of flash attention need to know of one head of one batch row: sizes, where its
/// matrices start, and which keys its queries see.
///
/// @param queries S
/// @param keys T
/// @param size D
/// @param index of the head, `b H + h`
/// @param position of the first query
/// @param spec scale, mask and dropout
record FlashHead(int queries, int keys, int size, long index, int position, AttentionSpec spec) {
  private static final int WIDTH = PackedTile.WIDTH;
  private static final int ROWS = PackedTile.ROWS;

  /// `log2(e)`.
  static final double LOG2_E = 1.4426950408889634;

  static FlashHead of(Tensor q, Tensor k, AttentionSpec spec, int[] positions, int head) {
    int heads = q.shape().intDim(1);
    return new FlashHead(
        q.shape().intDim(2),
        k.shape().intDim(2),
        q.shape().intDim(3),
        head,
        positions[head / heads],
        spec);
  }

  /// D rounded up to whole panels.
  int padded() {
    return CpuOps.parts(size, WIDTH) * WIDTH;
  }

  /// Where the head's queries start in a tensor (B, H, S, D).
  long queryAt() {
    return index * queries * size;
  }

  /// Where the head's keys start in a tensor (B, H, T, D).
  long keyAt() {
    return index * keys * size;
  }

  /// The factor that turns `q.k` to a score in units of log2.
  float scale2() {
    return (float) (spec.scale() * LOG2_E);
  }

  int low(int query) {
    return Math.min(keys, spec.mask().firstKey(position + query));
  }

  int high(int query) {
    Mask mask = spec.mask();
    return Math.max(low(query), mask.endKey(position + query, keys));
  }

  /// Packs queries, or what has their shape, as the left operand of a product over D; rows behind
  /// the last one repeat it.
  void packLeft(Scratch scratch, MemorySegment x, int row, int rows, float[] panel) {
    Packing.left(scratch, x, queryAt(), Trans.N, size, row, rows, ROWS, 0, size, panel);
  }

  /// Packs keys or values, transposed, as the right operand of a product over D:
  /// `[panel][D][WIDTH]`.
  void packTurned(Scratch scratch, MemorySegment x, int first, int end, MemorySegment panels) {
    long bytes = (long) size * WIDTH * Float.BYTES;
    for (int j = first; j < end; j += WIDTH) {
      MemorySegment panel = panels.asSlice((j - first) / WIDTH * bytes, bytes);
      int columns = Math.min(WIDTH, end - j);
      Packing.right(scratch, x, keyAt(), Trans.T, size, j, columns, 0, size, panel);
    }
  }

  /// Packs rows as the right operand of a product over the rows: `[panel of D][rows][WIDTH]`.
  ///
  /// @param at where the head's matrix starts
  void packRows(
      Scratch scratch, MemorySegment x, long at, int first, int end, MemorySegment panels) {
    int rows = end - first;
    long bytes = (long) rows * WIDTH * Float.BYTES;
    for (int c = 0; c < size; c += WIDTH) {
      MemorySegment panel = panels.asSlice(c / WIDTH * bytes, bytes);
      int columns = Math.min(WIDTH, size - c);
      Packing.right(scratch, x, at, Trans.N, size, c, columns, first, rows, panel);
    }
  }

  /// The factors of dropout for a group of rows, rows of [ScoreTile#STRIDE].
  void dropout(Scratch scratch, float[] factors, int row, int rows, int firstKey, int count) {
    float[] line = scratch.floats(Slots.DROPOUT, count);
    for (int i = 0; i < rows; i++) {
      long element = (index * queries + row + i) * keys + firstKey;
      VectorDropout.factors(scratch, Slots.OLD, line, spec.seed(), element, count, spec.dropout());
      System.arraycopy(line, 0, factors, i * ScoreTile.STRIDE, count);
    }
  }

  /// Writes rows of `padded` numbers to rows of D.
  void store(MemorySegment y, long at, float[] from, int first, int rows) {
    int padded = padded();
    if (padded == size) {
      Native.store(y, at, from, first, rows * size);
      return;
    }
    for (int i = 0; i < rows; i++) {
      Native.store(y, at + (long) i * size, from, first + i * padded, size);
    }
  }
}
