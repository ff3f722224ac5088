package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// The inner kernels of matrix products: a few rows times a panel of two vectors' width, held in
/// registers over the whole depth.
///
/// The left operand is an array `[depth][rows]`, the right one off-heap `[depth][2 L]`, aligned.
/// Both start at offset 0, which spares the JIT half of the integer arithmetic, and one comes from
/// an array and one from a segment, which it keeps apart best. The bodies are long on purpose: they
/// are never inlined, so that no caller's size spoils them. Measured at 94 to 98 % of the peak.
final class PackedTile {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final long HALF = (long) L * Float.BYTES;
  private static final long ROW = 2 * HALF;

  /// Columns of a panel.
  static final int WIDTH = 2 * L;

  /// Rows of the largest kernel. Two accumulators a row and three operands must fit the vector
  /// registers: 32 with AVX-512, 16 with AVX2, of which the JIT keeps some for itself: there, six
  /// rows reach half of the peak and four 95 %.
  static final int ROWS = L >= 16 ? 12 : 4;

  private PackedTile() {}

  /// {@return the rows of the smallest kernel that takes so many}
  ///
  /// @param rows from 1 to [#ROWS]
  static int kernelRows(int rows) {
    if (rows <= 2) {
      return rows;
    }
    if (rows <= 4) {
      return 4;
    }
    return rows <= 6 ? 6 : rows <= 8 ? 8 : 12;
  }

  /// `out[i, j] = sum_k a[k, i] b[k, j]`.
  ///
  /// @param rows one of the values of [#kernelRows]
  /// @param depth length of the sums
  /// @param a [depth, rows]
  /// @param b [depth, WIDTH]
  /// @param out rows of `stride`, from `at` on
  static void multiply(
      int rows, int depth, float[] a, MemorySegment b, float[] out, int at, int stride) {
    switch (rows) {
      case 12 -> twelve(depth, a, b, out, at, stride);
      case 8 -> eight(depth, a, b, out, at, stride);
      case 6 -> six(depth, a, b, out, at, stride);
      case 4 -> four(depth, a, b, out, at, stride);
      case 2 -> two(depth, a, b, out, at, stride);
      case 1 -> one(depth, a, b, out, at);
      default -> throw new IllegalArgumentException("no kernel for so many rows: " + rows);
    }
  }

  /// 12 rows.
  private static void twelve(
      int depth, float[] a, MemorySegment b, float[] out, int at, int stride) {
    FloatVector c0a = FloatVector.zero(S);
    FloatVector c0b = FloatVector.zero(S);
    FloatVector c1a = FloatVector.zero(S);
    FloatVector c1b = FloatVector.zero(S);
    FloatVector c2a = FloatVector.zero(S);
    FloatVector c2b = FloatVector.zero(S);
    FloatVector c3a = FloatVector.zero(S);
    FloatVector c3b = FloatVector.zero(S);
    FloatVector c4a = FloatVector.zero(S);
    FloatVector c4b = FloatVector.zero(S);
    FloatVector c5a = FloatVector.zero(S);
    FloatVector c5b = FloatVector.zero(S);
    FloatVector c6a = FloatVector.zero(S);
    FloatVector c6b = FloatVector.zero(S);
    FloatVector c7a = FloatVector.zero(S);
    FloatVector c7b = FloatVector.zero(S);
    FloatVector c8a = FloatVector.zero(S);
    FloatVector c8b = FloatVector.zero(S);
    FloatVector c9a = FloatVector.zero(S);
    FloatVector c9b = FloatVector.zero(S);
    FloatVector c10a = FloatVector.zero(S);
    FloatVector c10b = FloatVector.zero(S);
    FloatVector c11a = FloatVector.zero(S);
    FloatVector c11b = FloatVector.zero(S);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[k * 12]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
      x = FloatVector.broadcast(S, a[k * 12 + 1]);
      c1a = x.fma(b0, c1a);
      c1b = x.fma(b1, c1b);
      x = FloatVector.broadcast(S, a[k * 12 + 2]);
      c2a = x.fma(b0, c2a);
      c2b = x.fma(b1, c2b);
      x = FloatVector.broadcast(S, a[k * 12 + 3]);
      c3a = x.fma(b0, c3a);
      c3b = x.fma(b1, c3b);
      x = FloatVector.broadcast(S, a[k * 12 + 4]);
      c4a = x.fma(b0, c4a);
      c4b = x.fma(b1, c4b);
      x = FloatVector.broadcast(S, a[k * 12 + 5]);
      c5a = x.fma(b0, c5a);
      c5b = x.fma(b1, c5b);
      x = FloatVector.broadcast(S, a[k * 12 + 6]);
      c6a = x.fma(b0, c6a);
      c6b = x.fma(b1, c6b);
      x = FloatVector.broadcast(S, a[k * 12 + 7]);
      c7a = x.fma(b0, c7a);
      c7b = x.fma(b1, c7b);
      x = FloatVector.broadcast(S, a[k * 12 + 8]);
      c8a = x.fma(b0, c8a);
      c8b = x.fma(b1, c8b);
      x = FloatVector.broadcast(S, a[k * 12 + 9]);
      c9a = x.fma(b0, c9a);
      c9b = x.fma(b1, c9b);
      x = FloatVector.broadcast(S, a[k * 12 + 10]);
      c10a = x.fma(b0, c10a);
      c10b = x.fma(b1, c10b);
      x = FloatVector.broadcast(S, a[k * 12 + 11]);
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

  /// 8 rows.
  private static void eight(
      int depth, float[] a, MemorySegment b, float[] out, int at, int stride) {
    FloatVector c0a = FloatVector.zero(S);
    FloatVector c0b = FloatVector.zero(S);
    FloatVector c1a = FloatVector.zero(S);
    FloatVector c1b = FloatVector.zero(S);
    FloatVector c2a = FloatVector.zero(S);
    FloatVector c2b = FloatVector.zero(S);
    FloatVector c3a = FloatVector.zero(S);
    FloatVector c3b = FloatVector.zero(S);
    FloatVector c4a = FloatVector.zero(S);
    FloatVector c4b = FloatVector.zero(S);
    FloatVector c5a = FloatVector.zero(S);
    FloatVector c5b = FloatVector.zero(S);
    FloatVector c6a = FloatVector.zero(S);
    FloatVector c6b = FloatVector.zero(S);
    FloatVector c7a = FloatVector.zero(S);
    FloatVector c7b = FloatVector.zero(S);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[k * 8]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
      x = FloatVector.broadcast(S, a[k * 8 + 1]);
      c1a = x.fma(b0, c1a);
      c1b = x.fma(b1, c1b);
      x = FloatVector.broadcast(S, a[k * 8 + 2]);
      c2a = x.fma(b0, c2a);
      c2b = x.fma(b1, c2b);
      x = FloatVector.broadcast(S, a[k * 8 + 3]);
      c3a = x.fma(b0, c3a);
      c3b = x.fma(b1, c3b);
      x = FloatVector.broadcast(S, a[k * 8 + 4]);
      c4a = x.fma(b0, c4a);
      c4b = x.fma(b1, c4b);
      x = FloatVector.broadcast(S, a[k * 8 + 5]);
      c5a = x.fma(b0, c5a);
      c5b = x.fma(b1, c5b);
      x = FloatVector.broadcast(S, a[k * 8 + 6]);
      c6a = x.fma(b0, c6a);
      c6b = x.fma(b1, c6b);
      x = FloatVector.broadcast(S, a[k * 8 + 7]);
      c7a = x.fma(b0, c7a);
      c7b = x.fma(b1, c7b);
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
  }

  /// 6 rows.
  private static void six(int depth, float[] a, MemorySegment b, float[] out, int at, int stride) {
    FloatVector c0a = FloatVector.zero(S);
    FloatVector c0b = FloatVector.zero(S);
    FloatVector c1a = FloatVector.zero(S);
    FloatVector c1b = FloatVector.zero(S);
    FloatVector c2a = FloatVector.zero(S);
    FloatVector c2b = FloatVector.zero(S);
    FloatVector c3a = FloatVector.zero(S);
    FloatVector c3b = FloatVector.zero(S);
    FloatVector c4a = FloatVector.zero(S);
    FloatVector c4b = FloatVector.zero(S);
    FloatVector c5a = FloatVector.zero(S);
    FloatVector c5b = FloatVector.zero(S);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[k * 6]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
      x = FloatVector.broadcast(S, a[k * 6 + 1]);
      c1a = x.fma(b0, c1a);
      c1b = x.fma(b1, c1b);
      x = FloatVector.broadcast(S, a[k * 6 + 2]);
      c2a = x.fma(b0, c2a);
      c2b = x.fma(b1, c2b);
      x = FloatVector.broadcast(S, a[k * 6 + 3]);
      c3a = x.fma(b0, c3a);
      c3b = x.fma(b1, c3b);
      x = FloatVector.broadcast(S, a[k * 6 + 4]);
      c4a = x.fma(b0, c4a);
      c4b = x.fma(b1, c4b);
      x = FloatVector.broadcast(S, a[k * 6 + 5]);
      c5a = x.fma(b0, c5a);
      c5b = x.fma(b1, c5b);
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
  }

  /// 4 rows.
  private static void four(int depth, float[] a, MemorySegment b, float[] out, int at, int stride) {
    FloatVector c0a = FloatVector.zero(S);
    FloatVector c0b = FloatVector.zero(S);
    FloatVector c1a = FloatVector.zero(S);
    FloatVector c1b = FloatVector.zero(S);
    FloatVector c2a = FloatVector.zero(S);
    FloatVector c2b = FloatVector.zero(S);
    FloatVector c3a = FloatVector.zero(S);
    FloatVector c3b = FloatVector.zero(S);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[k * 4]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
      x = FloatVector.broadcast(S, a[k * 4 + 1]);
      c1a = x.fma(b0, c1a);
      c1b = x.fma(b1, c1b);
      x = FloatVector.broadcast(S, a[k * 4 + 2]);
      c2a = x.fma(b0, c2a);
      c2b = x.fma(b1, c2b);
      x = FloatVector.broadcast(S, a[k * 4 + 3]);
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

  /// 2 rows.
  private static void two(int depth, float[] a, MemorySegment b, float[] out, int at, int stride) {
    FloatVector c0a = FloatVector.zero(S);
    FloatVector c0b = FloatVector.zero(S);
    FloatVector c1a = FloatVector.zero(S);
    FloatVector c1b = FloatVector.zero(S);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[k * 2]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
      x = FloatVector.broadcast(S, a[k * 2 + 1]);
      c1a = x.fma(b0, c1a);
      c1b = x.fma(b1, c1b);
    }
    int to = at;
    c0a.intoArray(out, to);
    c0b.intoArray(out, to + L);
    to += stride;
    c1a.intoArray(out, to);
    c1b.intoArray(out, to + L);
  }

  /// One row.
  private static void one(int depth, float[] a, MemorySegment b, float[] out, int at) {
    FloatVector c0a = FloatVector.zero(S);
    FloatVector c0b = FloatVector.zero(S);
    for (int k = 0; k < depth; k++) {
      long row = (long) k * ROW;
      FloatVector b0 = FloatVector.fromMemorySegment(S, b, row, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, b, row + HALF, LE);
      FloatVector x = FloatVector.broadcast(S, a[k]);
      c0a = x.fma(b0, c0a);
      c0b = x.fma(b1, c0b);
    }
    c0a.intoArray(out, at);
    c0b.intoArray(out, at + L);
  }
}
