package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Panels of bfloat16, `[depth / 2][2 L]` words: a word holds steps k and k + 1 of the depth, in
/// its lower and its upper half, of one column. A shift and a mask make two vectors of floats of a
/// vector of words, and the dot products of [TileCode] take the words as they are. The depth is
/// filled up with zeros to whole blocks of [Quantization#BLOCK].
///
/// Products of a few rows are bound by memory: two steps at a time are what it takes to keep up
/// with it. As in [PackedTile], the bodies are flat and start at offset 0.
final class HalfTile {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final VectorSpecies<Integer> I = Lanes.INTS;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final int UPPER = 0xFFFF0000;

  /// Bytes of a vector, and of two: a pair of steps, or one step in floats.
  private static final long HALF = (long) L * Integer.BYTES;

  private static final long ROW = 2 * HALF;

  private HalfTile() {}

  /// {@return the bytes of a panel}
  ///
  /// @param depth steps
  static long bytes(int depth) {
    return (long) Quantization.blocks(depth) * Quantization.BLOCK * L * Integer.BYTES;
  }

  /// Rounds numbers to the nearest bfloat16.
  ///
  /// @param x `[depth][2 L]`
  /// @param depth steps
  /// @param panel takes them
  static void encode(float[] x, int depth, MemorySegment panel) {
    int width = 2 * L;
    int[] words = new int[Math.toIntExact(bytes(depth) / Integer.BYTES)];
    for (int i = 0; i < depth * width; i++) {
      int half = Storage.toBfloat16(x[i]) & 0xFFFF;
      int step = i / width;
      words[step / 2 * width + i % width] |= half << (step % 2 * 16);
    }
    MemorySegment.copy(words, 0, panel, Native.INT, 0, words.length);
  }

  /// Makes floats of a panel: `[depth][2 L]`, and one step more of zeros where the depth is odd.
  static void decode(MemorySegment b, int depth, MemorySegment to) {
    for (int k = 0; k < depth; k += 2) {
      long at = k * HALF;
      IntVector v = IntVector.fromMemorySegment(I, b, at, LE);
      IntVector w = IntVector.fromMemorySegment(I, b, at + HALF, LE);
      long row = k * ROW;
      v.lanewise(VectorOperators.LSHL, 16).intoMemorySegment(to, row, LE);
      w.lanewise(VectorOperators.LSHL, 16).intoMemorySegment(to, row + HALF, LE);
      v.and(UPPER).intoMemorySegment(to, row + ROW, LE);
      w.and(UPPER).intoMemorySegment(to, row + ROW + HALF, LE);
    }
  }

  /// `out[i, j] = sum_k a[k, i] b[k, j]`.
  ///
  /// @param rows 1, 2 or 4
  /// @param depth length of the sums
  /// @param a [depth, rows], and one step more of zeros where the depth is odd
  /// @param b the panel
  /// @param out [rows, 2 L]
  static void multiply(int rows, int depth, float[] a, MemorySegment b, float[] out) {
    int even = depth + 1 & -2;
    switch (rows) {
      case 4 -> four(even, a, b, out);
      case 2 -> two(even, a, b, out);
      case 1 -> one(even, a, b, out);
      default -> throw new IllegalArgumentException("no kernel for so many rows: " + rows);
    }
  }

  /// 4 rows.
  private static void four(int depth, float[] a, MemorySegment b, float[] out) {
    FloatVector zero = FloatVector.zero(S);
    IntVector v;
    IntVector w;
    FloatVector va;
    FloatVector wa;
    FloatVector x;
    FloatVector c0a = zero;
    FloatVector c0b = zero;
    FloatVector c1a = zero;
    FloatVector c1b = zero;
    FloatVector c2a = zero;
    FloatVector c2b = zero;
    FloatVector c3a = zero;
    FloatVector c3b = zero;
    for (int k = 0; k + 2 <= depth; k += 2) {
      long at = k * HALF;
      v = IntVector.fromMemorySegment(I, b, at, LE);
      w = IntVector.fromMemorySegment(I, b, at + HALF, LE);
      va = v.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      wa = w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[k * 4]);
      c0a = x.fma(va, c0a);
      c0b = x.fma(wa, c0b);
      x = FloatVector.broadcast(S, a[k * 4 + 1]);
      c1a = x.fma(va, c1a);
      c1b = x.fma(wa, c1b);
      x = FloatVector.broadcast(S, a[k * 4 + 2]);
      c2a = x.fma(va, c2a);
      c2b = x.fma(wa, c2b);
      x = FloatVector.broadcast(S, a[k * 4 + 3]);
      c3a = x.fma(va, c3a);
      c3b = x.fma(wa, c3b);
      va = v.and(UPPER).reinterpretAsFloats();
      wa = w.and(UPPER).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[(k + 1) * 4]);
      c0a = x.fma(va, c0a);
      c0b = x.fma(wa, c0b);
      x = FloatVector.broadcast(S, a[(k + 1) * 4 + 1]);
      c1a = x.fma(va, c1a);
      c1b = x.fma(wa, c1b);
      x = FloatVector.broadcast(S, a[(k + 1) * 4 + 2]);
      c2a = x.fma(va, c2a);
      c2b = x.fma(wa, c2b);
      x = FloatVector.broadcast(S, a[(k + 1) * 4 + 3]);
      c3a = x.fma(va, c3a);
      c3b = x.fma(wa, c3b);
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
    IntVector v;
    IntVector w;
    FloatVector va;
    FloatVector wa;
    FloatVector x;
    FloatVector c0a = zero;
    FloatVector c0b = zero;
    FloatVector c1a = zero;
    FloatVector c1b = zero;
    for (int k = 0; k + 2 <= depth; k += 2) {
      long at = k * HALF;
      v = IntVector.fromMemorySegment(I, b, at, LE);
      w = IntVector.fromMemorySegment(I, b, at + HALF, LE);
      va = v.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      wa = w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[k * 2]);
      c0a = x.fma(va, c0a);
      c0b = x.fma(wa, c0b);
      x = FloatVector.broadcast(S, a[k * 2 + 1]);
      c1a = x.fma(va, c1a);
      c1b = x.fma(wa, c1b);
      va = v.and(UPPER).reinterpretAsFloats();
      wa = w.and(UPPER).reinterpretAsFloats();
      x = FloatVector.broadcast(S, a[(k + 1) * 2]);
      c0a = x.fma(va, c0a);
      c0b = x.fma(wa, c0b);
      x = FloatVector.broadcast(S, a[(k + 1) * 2 + 1]);
      c1a = x.fma(va, c1a);
      c1b = x.fma(wa, c1b);
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
    for (int k = 0; k + 2 <= depth; k += 2) {
      long at = k * HALF;
      FloatVector x = FloatVector.broadcast(S, a[k]);
      FloatVector y = FloatVector.broadcast(S, a[k + 1]);
      IntVector v = IntVector.fromMemorySegment(I, b, at, LE);
      IntVector w = IntVector.fromMemorySegment(I, b, at + HALF, LE);
      c0a = x.fma(v.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c0a);
      c0b = x.fma(w.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats(), c0b);
      d0a = y.fma(v.and(UPPER).reinterpretAsFloats(), d0a);
      d0b = y.fma(w.and(UPPER).reinterpretAsFloats(), d0b);
    }
    c0a.add(d0a).intoArray(out, 0);
    c0b.add(d0b).intoArray(out, L);
  }
}
