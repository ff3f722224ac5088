package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// The kernels of [PackedTile] for a left operand that lies in an array of scores, either way
/// round, so that scores need no packing: `out[i, j] += sum_k a[i, k] b[k, j]` or `a[k, i]`.
///
/// The array's rows have the constant length [#STRIDE]. Its remainder modulo a page keeps the rows
/// from falling on the same cache sets.
final class ScoreTile {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final long HALF = (long) L * Float.BYTES;
  private static final long ROW = 2 * HALF;

  /// Scores of a row: a block of keys, and a pad of one line.
  static final int STRIDE = 512 + 16;

  /// Keys of a block.
  static final int KEYS = 512;

  private ScoreTile() {}

  /// `out[i, j] += sum_k a[from + i STRIDE + k] b[k, j]` for [PackedTile#ROWS] rows.
  static void rows(
      int depth, float[] a, int from, MemorySegment b, float[] out, int at, int stride) {
    if (PackedTile.ROWS == 12) {
      twelveRows(depth, a, from, b, out, at, stride);
    } else {
      fourRows(depth, a, from, b, out, at, stride);
    }
  }

  /// `out[i, j] += sum_k a[from + k STRIDE + i] b[k, j]` for [PackedTile#ROWS] rows.
  static void columns(
      int depth, float[] a, int from, MemorySegment b, float[] out, int at, int stride) {
    if (PackedTile.ROWS == 12) {
      twelveColumns(depth, a, from, b, out, at, stride);
    } else {
      fourColumns(depth, a, from, b, out, at, stride);
    }
  }

  /// 12 rows of scores.
  private static void twelveRows(
      int depth, float[] a, int from, MemorySegment b, float[] out, int at, int stride) {
    FloatVector c0a = FloatVector.fromArray(S, out, at);
    FloatVector c0b = FloatVector.fromArray(S, out, at + L);
    FloatVector c1a = FloatVector.fromArray(S, out, at + stride);
    FloatVector c1b = FloatVector.fromArray(S, out, at + stride + L);
    FloatVector c2a = FloatVector.fromArray(S, out, at + 2 * stride);
    FloatVector c2b = FloatVector.fromArray(S, out, at + 2 * stride + L);
    FloatVector c3a = FloatVector.fromArray(S, out, at + 3 * stride);
    FloatVector c3b = FloatVector.fromArray(S, out, at + 3 * stride + L);
    FloatVector c4a = FloatVector.fromArray(S, out, at + 4 * stride);
    FloatVector c4b = FloatVector.fromArray(S, out, at + 4 * stride + L);
    FloatVector c5a = FloatVector.fromArray(S, out, at + 5 * stride);
    FloatVector c5b = FloatVector.fromArray(S, out, at + 5 * stride + L);
    FloatVector c6a = FloatVector.fromArray(S, out, at + 6 * stride);
    FloatVector c6b = FloatVector.fromArray(S, out, at + 6 * stride + L);
    FloatVector c7a = FloatVector.fromArray(S, out, at + 7 * stride);
    FloatVector c7b = FloatVector.fromArray(S, out, at + 7 * stride + L);
    FloatVector c8a = FloatVector.fromArray(S, out, at + 8 * stride);
    FloatVector c8b = FloatVector.fromArray(S, out, at + 8 * stride + L);
    FloatVector c9a = FloatVector.fromArray(S, out, at + 9 * stride);
    FloatVector c9b = FloatVector.fromArray(S, out, at + 9 * stride + L);
    FloatVector c10a = FloatVector.fromArray(S, out, at + 10 * stride);
    FloatVector c10b = FloatVector.fromArray(S, out, at + 10 * stride + L);
    FloatVector c11a = FloatVector.fromArray(S, out, at + 11 * stride);
    FloatVector c11b = FloatVector.fromArray(S, out, at + 11 * stride + L);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[from + k]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
      x = FloatVector.broadcast(S, a[from + k + STRIDE]);
      c1a = x.fma(b0, c1a);
      c1b = x.fma(b1, c1b);
      x = FloatVector.broadcast(S, a[from + k + 2 * STRIDE]);
      c2a = x.fma(b0, c2a);
      c2b = x.fma(b1, c2b);
      x = FloatVector.broadcast(S, a[from + k + 3 * STRIDE]);
      c3a = x.fma(b0, c3a);
      c3b = x.fma(b1, c3b);
      x = FloatVector.broadcast(S, a[from + k + 4 * STRIDE]);
      c4a = x.fma(b0, c4a);
      c4b = x.fma(b1, c4b);
      x = FloatVector.broadcast(S, a[from + k + 5 * STRIDE]);
      c5a = x.fma(b0, c5a);
      c5b = x.fma(b1, c5b);
      x = FloatVector.broadcast(S, a[from + k + 6 * STRIDE]);
      c6a = x.fma(b0, c6a);
      c6b = x.fma(b1, c6b);
      x = FloatVector.broadcast(S, a[from + k + 7 * STRIDE]);
      c7a = x.fma(b0, c7a);
      c7b = x.fma(b1, c7b);
      x = FloatVector.broadcast(S, a[from + k + 8 * STRIDE]);
      c8a = x.fma(b0, c8a);
      c8b = x.fma(b1, c8b);
      x = FloatVector.broadcast(S, a[from + k + 9 * STRIDE]);
      c9a = x.fma(b0, c9a);
      c9b = x.fma(b1, c9b);
      x = FloatVector.broadcast(S, a[from + k + 10 * STRIDE]);
      c10a = x.fma(b0, c10a);
      c10b = x.fma(b1, c10b);
      x = FloatVector.broadcast(S, a[from + k + 11 * STRIDE]);
      c11a = x.fma(b0, c11a);
      c11b = x.fma(b1, c11b);
    }
    int to = at;
    c0a.intoArray(out, to);
    c0b.intoArray(out, to + L);
    to += stride;
    c1a.intoArray(out, to);
    c1b.intoArray(out, to + L);
    to += stride;
    c2a.intoArray(out, to);
    c2b.intoArray(out, to + L);
    to += stride;
    c3a.intoArray(out, to);
    c3b.intoArray(out, to + L);
    to += stride;
    c4a.intoArray(out, to);
    c4b.intoArray(out, to + L);
    to += stride;
    c5a.intoArray(out, to);
    c5b.intoArray(out, to + L);
    to += stride;
    c6a.intoArray(out, to);
    c6b.intoArray(out, to + L);
    to += stride;
    c7a.intoArray(out, to);
    c7b.intoArray(out, to + L);
    to += stride;
    c8a.intoArray(out, to);
    c8b.intoArray(out, to + L);
    to += stride;
    c9a.intoArray(out, to);
    c9b.intoArray(out, to + L);
    to += stride;
    c10a.intoArray(out, to);
    c10b.intoArray(out, to + L);
    to += stride;
    c11a.intoArray(out, to);
    c11b.intoArray(out, to + L);
  }

  /// 12 columns of scores.
  private static void twelveColumns(
      int depth, float[] a, int from, MemorySegment b, float[] out, int at, int stride) {
    FloatVector c0a = FloatVector.fromArray(S, out, at);
    FloatVector c0b = FloatVector.fromArray(S, out, at + L);
    FloatVector c1a = FloatVector.fromArray(S, out, at + stride);
    FloatVector c1b = FloatVector.fromArray(S, out, at + stride + L);
    FloatVector c2a = FloatVector.fromArray(S, out, at + 2 * stride);
    FloatVector c2b = FloatVector.fromArray(S, out, at + 2 * stride + L);
    FloatVector c3a = FloatVector.fromArray(S, out, at + 3 * stride);
    FloatVector c3b = FloatVector.fromArray(S, out, at + 3 * stride + L);
    FloatVector c4a = FloatVector.fromArray(S, out, at + 4 * stride);
    FloatVector c4b = FloatVector.fromArray(S, out, at + 4 * stride + L);
    FloatVector c5a = FloatVector.fromArray(S, out, at + 5 * stride);
    FloatVector c5b = FloatVector.fromArray(S, out, at + 5 * stride + L);
    FloatVector c6a = FloatVector.fromArray(S, out, at + 6 * stride);
    FloatVector c6b = FloatVector.fromArray(S, out, at + 6 * stride + L);
    FloatVector c7a = FloatVector.fromArray(S, out, at + 7 * stride);
    FloatVector c7b = FloatVector.fromArray(S, out, at + 7 * stride + L);
    FloatVector c8a = FloatVector.fromArray(S, out, at + 8 * stride);
    FloatVector c8b = FloatVector.fromArray(S, out, at + 8 * stride + L);
    FloatVector c9a = FloatVector.fromArray(S, out, at + 9 * stride);
    FloatVector c9b = FloatVector.fromArray(S, out, at + 9 * stride + L);
    FloatVector c10a = FloatVector.fromArray(S, out, at + 10 * stride);
    FloatVector c10b = FloatVector.fromArray(S, out, at + 10 * stride + L);
    FloatVector c11a = FloatVector.fromArray(S, out, at + 11 * stride);
    FloatVector c11b = FloatVector.fromArray(S, out, at + 11 * stride + L);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[from + k * STRIDE]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 1]);
      c1a = x.fma(b0, c1a);
      c1b = x.fma(b1, c1b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 2]);
      c2a = x.fma(b0, c2a);
      c2b = x.fma(b1, c2b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 3]);
      c3a = x.fma(b0, c3a);
      c3b = x.fma(b1, c3b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 4]);
      c4a = x.fma(b0, c4a);
      c4b = x.fma(b1, c4b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 5]);
      c5a = x.fma(b0, c5a);
      c5b = x.fma(b1, c5b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 6]);
      c6a = x.fma(b0, c6a);
      c6b = x.fma(b1, c6b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 7]);
      c7a = x.fma(b0, c7a);
      c7b = x.fma(b1, c7b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 8]);
      c8a = x.fma(b0, c8a);
      c8b = x.fma(b1, c8b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 9]);
      c9a = x.fma(b0, c9a);
      c9b = x.fma(b1, c9b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 10]);
      c10a = x.fma(b0, c10a);
      c10b = x.fma(b1, c10b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 11]);
      c11a = x.fma(b0, c11a);
      c11b = x.fma(b1, c11b);
    }
    int to = at;
    c0a.intoArray(out, to);
    c0b.intoArray(out, to + L);
    to += stride;
    c1a.intoArray(out, to);
    c1b.intoArray(out, to + L);
    to += stride;
    c2a.intoArray(out, to);
    c2b.intoArray(out, to + L);
    to += stride;
    c3a.intoArray(out, to);
    c3b.intoArray(out, to + L);
    to += stride;
    c4a.intoArray(out, to);
    c4b.intoArray(out, to + L);
    to += stride;
    c5a.intoArray(out, to);
    c5b.intoArray(out, to + L);
    to += stride;
    c6a.intoArray(out, to);
    c6b.intoArray(out, to + L);
    to += stride;
    c7a.intoArray(out, to);
    c7b.intoArray(out, to + L);
    to += stride;
    c8a.intoArray(out, to);
    c8b.intoArray(out, to + L);
    to += stride;
    c9a.intoArray(out, to);
    c9b.intoArray(out, to + L);
    to += stride;
    c10a.intoArray(out, to);
    c10b.intoArray(out, to + L);
    to += stride;
    c11a.intoArray(out, to);
    c11b.intoArray(out, to + L);
  }

  /// 4 rows of scores.
  private static void fourRows(
      int depth, float[] a, int from, MemorySegment b, float[] out, int at, int stride) {
    FloatVector c0a = FloatVector.fromArray(S, out, at);
    FloatVector c0b = FloatVector.fromArray(S, out, at + L);
    FloatVector c1a = FloatVector.fromArray(S, out, at + stride);
    FloatVector c1b = FloatVector.fromArray(S, out, at + stride + L);
    FloatVector c2a = FloatVector.fromArray(S, out, at + 2 * stride);
    FloatVector c2b = FloatVector.fromArray(S, out, at + 2 * stride + L);
    FloatVector c3a = FloatVector.fromArray(S, out, at + 3 * stride);
    FloatVector c3b = FloatVector.fromArray(S, out, at + 3 * stride + L);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[from + k]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
      x = FloatVector.broadcast(S, a[from + k + STRIDE]);
      c1a = x.fma(b0, c1a);
      c1b = x.fma(b1, c1b);
      x = FloatVector.broadcast(S, a[from + k + 2 * STRIDE]);
      c2a = x.fma(b0, c2a);
      c2b = x.fma(b1, c2b);
      x = FloatVector.broadcast(S, a[from + k + 3 * STRIDE]);
      c3a = x.fma(b0, c3a);
      c3b = x.fma(b1, c3b);
    }
    int to = at;
    c0a.intoArray(out, to);
    c0b.intoArray(out, to + L);
    to += stride;
    c1a.intoArray(out, to);
    c1b.intoArray(out, to + L);
    to += stride;
    c2a.intoArray(out, to);
    c2b.intoArray(out, to + L);
    to += stride;
    c3a.intoArray(out, to);
    c3b.intoArray(out, to + L);
  }

  /// 4 columns of scores.
  private static void fourColumns(
      int depth, float[] a, int from, MemorySegment b, float[] out, int at, int stride) {
    FloatVector c0a = FloatVector.fromArray(S, out, at);
    FloatVector c0b = FloatVector.fromArray(S, out, at + L);
    FloatVector c1a = FloatVector.fromArray(S, out, at + stride);
    FloatVector c1b = FloatVector.fromArray(S, out, at + stride + L);
    FloatVector c2a = FloatVector.fromArray(S, out, at + 2 * stride);
    FloatVector c2b = FloatVector.fromArray(S, out, at + 2 * stride + L);
    FloatVector c3a = FloatVector.fromArray(S, out, at + 3 * stride);
    FloatVector c3b = FloatVector.fromArray(S, out, at + 3 * stride + L);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[from + k * STRIDE]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 1]);
      c1a = x.fma(b0, c1a);
      c1b = x.fma(b1, c1b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 2]);
      c2a = x.fma(b0, c2a);
      c2b = x.fma(b1, c2b);
      x = FloatVector.broadcast(S, a[from + k * STRIDE + 3]);
      c3a = x.fma(b0, c3a);
      c3b = x.fma(b1, c3b);
    }
    int to = at;
    c0a.intoArray(out, to);
    c0b.intoArray(out, to + L);
    to += stride;
    c1a.intoArray(out, to);
    c1b.intoArray(out, to + L);
    to += stride;
    c2a.intoArray(out, to);
    c2b.intoArray(out, to + L);
    to += stride;
    c3a.intoArray(out, to);
    c3b.intoArray(out, to + L);
  }
}
