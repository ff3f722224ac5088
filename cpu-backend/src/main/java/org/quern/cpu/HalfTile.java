package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Panels of bfloat16, `[depth][L]` words: a word holds column j in its lower half and column j + L
/// in its upper one, so that a shift and a mask make two vectors of floats.
///
/// Products of a few rows are bound by memory: two rows of the panel at a time are what it takes to
/// keep up with it. As in [PackedTile], the bodies are flat and start at offset 0.
final class HalfTile {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final VectorSpecies<Integer> I = IntVector.SPECIES_PREFERRED;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final int UPPER = 0xFFFF0000;

  /// Bytes of a row.
  private static final long ROW = (long) L * Integer.BYTES;

  private HalfTile() {}

  /// Rounds numbers to the nearest bfloat16.
  ///
  /// @param x `[depth][2 L]`
  /// @param depth rows
  /// @param panel takes them
  static void encode(float[] x, int depth, MemorySegment panel) {
    int[] words = new int[depth * L];
    for (int k = 0; k < depth; k++) {
      for (int j = 0; j < L; j++) {
        int low = Storage.toBfloat16(x[k * 2 * L + j]) & 0xFFFF;
        words[k * L + j] = low | (Storage.toBfloat16(x[k * 2 * L + L + j]) << 16);
      }
    }
    MemorySegment.copy(words, 0, panel, Native.INT, 0, words.length);
  }

  /// Makes floats of a panel: `[depth][2 L]`.
  static void decode(MemorySegment b, int depth, MemorySegment to) {
    for (int k = 0; k < depth; k++) {
      long row = k * ROW;
      IntVector w = IntVector.fromMemorySegment(I, b, row, LE);
      w.lanewise(VectorOperators.LSHL, 16).intoMemorySegment(to, 2 * row, LE);
      w.and(UPPER).intoMemorySegment(to, 2 * row + ROW, LE);
    }
  }

  /// `out[i, j] = sum_k a[k, i] b[k, j]`.
  ///
  /// @param rows 1, 2 or 4
  /// @param depth length of the sums
  /// @param a [depth, rows]
  /// @param b the panel
  /// @param out [rows, 2 L]
  static void multiply(int rows, int depth, float[] a, MemorySegment b, float[] out) {
    switch (rows) {
      case 4 -> four(depth, a, b, out);
      case 2 -> two(depth, a, b, out);
      case 1 -> one(depth, a, b, out);
      default -> throw new IllegalArgumentException("no kernel for so many rows: " + rows);
    }
  }

  /// 4 rows.
  private static void four(int depth, float[] a, MemorySegment b, float[] out) {
    FloatVector zero = FloatVector.zero(S);
    IntVector w;
    FloatVector low;
    FloatVector high;
    FloatVector x;
    FloatVector c0a = zero;
    FloatVector c0b = zero;
    FloatVector c1a = zero;
    FloatVector c1b = zero;
    FloatVector c2a = zero;
    FloatVector c2b = zero;
    FloatVector c3a = zero;
    FloatVector c3b = zero;
    int k = 0;
    for (; k + 2 <= depth; k += 2) {
      long row = k * ROW;
      w = IntVector.fromMemorySegment(I, b, row, LE);
      low = w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      high = w.and(UPPER).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[k * 4]);
      c0a = x.fma(low, c0a);
      c0b = x.fma(high, c0b);
      x = FloatVector.broadcast(S, a[k * 4 + 1]);
      c1a = x.fma(low, c1a);
      c1b = x.fma(high, c1b);
      x = FloatVector.broadcast(S, a[k * 4 + 2]);
      c2a = x.fma(low, c2a);
      c2b = x.fma(high, c2b);
      x = FloatVector.broadcast(S, a[k * 4 + 3]);
      c3a = x.fma(low, c3a);
      c3b = x.fma(high, c3b);
      w = IntVector.fromMemorySegment(I, b, row + ROW, LE);
      low = w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      high = w.and(UPPER).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[(k + 1) * 4]);
      c0a = x.fma(low, c0a);
      c0b = x.fma(high, c0b);
      x = FloatVector.broadcast(S, a[(k + 1) * 4 + 1]);
      c1a = x.fma(low, c1a);
      c1b = x.fma(high, c1b);
      x = FloatVector.broadcast(S, a[(k + 1) * 4 + 2]);
      c2a = x.fma(low, c2a);
      c2b = x.fma(high, c2b);
      x = FloatVector.broadcast(S, a[(k + 1) * 4 + 3]);
      c3a = x.fma(low, c3a);
      c3b = x.fma(high, c3b);
    }
    if (k < depth) {
      long row = k * ROW;
      w = IntVector.fromMemorySegment(I, b, row, LE);
      low = w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      high = w.and(UPPER).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[k * 4]);
      c0a = x.fma(low, c0a);
      c0b = x.fma(high, c0b);
      x = FloatVector.broadcast(S, a[k * 4 + 1]);
      c1a = x.fma(low, c1a);
      c1b = x.fma(high, c1b);
      x = FloatVector.broadcast(S, a[k * 4 + 2]);
      c2a = x.fma(low, c2a);
      c2b = x.fma(high, c2b);
      x = FloatVector.broadcast(S, a[k * 4 + 3]);
      c3a = x.fma(low, c3a);
      c3b = x.fma(high, c3b);
    }
    c0a.intoArray(out, 0);
    c0b.intoArray(out, L);
    c1a.intoArray(out, 2 * L);
    c1b.intoArray(out, 3 * L);
    c2a.intoArray(out, 4 * L);
    c2b.intoArray(out, 5 * L);
    c3a.intoArray(out, 6 * L);
    c3b.intoArray(out, 7 * L);
  }

  /// 2 rows.
  private static void two(int depth, float[] a, MemorySegment b, float[] out) {
    FloatVector zero = FloatVector.zero(S);
    IntVector w;
    FloatVector low;
    FloatVector high;
    FloatVector x;
    FloatVector c0a = zero;
    FloatVector c0b = zero;
    FloatVector c1a = zero;
    FloatVector c1b = zero;
    int k = 0;
    for (; k + 2 <= depth; k += 2) {
      long row = k * ROW;
      w = IntVector.fromMemorySegment(I, b, row, LE);
      low = w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      high = w.and(UPPER).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[k * 2]);
      c0a = x.fma(low, c0a);
      c0b = x.fma(high, c0b);
      x = FloatVector.broadcast(S, a[k * 2 + 1]);
      c1a = x.fma(low, c1a);
      c1b = x.fma(high, c1b);
      w = IntVector.fromMemorySegment(I, b, row + ROW, LE);
      low = w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      high = w.and(UPPER).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[(k + 1) * 2]);
      c0a = x.fma(low, c0a);
      c0b = x.fma(high, c0b);
      x = FloatVector.broadcast(S, a[(k + 1) * 2 + 1]);
      c1a = x.fma(low, c1a);
      c1b = x.fma(high, c1b);
    }
    if (k < depth) {
      long row = k * ROW;
      w = IntVector.fromMemorySegment(I, b, row, LE);
      low = w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      high = w.and(UPPER).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[k * 2]);
      c0a = x.fma(low, c0a);
      c0b = x.fma(high, c0b);
      x = FloatVector.broadcast(S, a[k * 2 + 1]);
      c1a = x.fma(low, c1a);
      c1b = x.fma(high, c1b);
    }
    c0a.intoArray(out, 0);
    c0b.intoArray(out, L);
    c1a.intoArray(out, 2 * L);
    c1b.intoArray(out, 3 * L);
  }

  /// One row, in two chains of sums a vector: one would wait for itself.
  private static void one(int depth, float[] a, MemorySegment b, float[] out) {
    FloatVector zero = FloatVector.zero(S);
    FloatVector c0a = zero;
    FloatVector c0b = zero;
    FloatVector d0a = zero;
    FloatVector d0b = zero;
    int k = 0;
    for (; k + 2 <= depth; k += 2) {
      long row = k * ROW;
      FloatVector x = FloatVector.broadcast(S, a[k]);
      FloatVector y = FloatVector.broadcast(S, a[k + 1]);
      IntVector v = IntVector.fromMemorySegment(I, b, row, LE);
      IntVector w = IntVector.fromMemorySegment(I, b, row + ROW, LE);
      c0a = x.fma(v.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c0a);
      c0b = x.fma(v.and(UPPER).reinterpretAsFloats(), c0b);
      d0a = y.fma(w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), d0a);
      d0b = y.fma(w.and(UPPER).reinterpretAsFloats(), d0b);
    }
    if (k < depth) {
      FloatVector x = FloatVector.broadcast(S, a[k]);
      IntVector v = IntVector.fromMemorySegment(I, b, k * ROW, LE);
      c0a = x.fma(v.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c0a);
      c0b = x.fma(v.and(UPPER).reinterpretAsFloats(), c0b);
    }
    c0a.add(d0a).intoArray(out, 0);
    c0b.add(d0b).intoArray(out, L);
  }
}
