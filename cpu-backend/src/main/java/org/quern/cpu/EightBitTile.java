package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Panels of int8 with a scale for each block of 32 of a column (Q8): `[block]`, of each first the
/// 2 L scales, then `[8][2 L]` words of four numbers of a column, one below the other.
///
/// A byte moved to the top of its word is 2^24 times the number, and the scales are stored 2^24
/// times smaller: no byte needs its sign extended. Rows behind the last one are zeros.
///
/// As in [PackedTile], the bodies are flat and start at offset 0.
final class EightBitTile {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final VectorSpecies<Integer> I = Lanes.INTS;
  private static final VectorOperators.Conversion<Integer, Float> TO_FLOAT = VectorOperators.I2F;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final int BLOCK = Quantization.BLOCK;
  private static final int TOP = 0xFF000000;
  private static final float TOP_UNIT = 0x1p-24f;

  private static final long HALF = (long) L * Integer.BYTES;
  private static final long ROW = 2 * HALF;

  /// Words of a column and block.
  private static final int WORDS = BLOCK / Integer.BYTES;

  /// Bytes of a block of all columns.
  static final long BLOCK_BYTES = (1 + WORDS) * ROW;

  private EightBitTile() {}

  /// Quantizes numbers.
  ///
  /// @param x `[depth][2 L]`
  /// @param depth rows
  /// @param panel takes them, in whole blocks
  static void encode(float[] x, int depth, MemorySegment panel) {
    int[] words = new int[(1 + WORDS) * 2 * L];
    for (int k = 0; k < depth; k += BLOCK) {
      int rows = Math.min(BLOCK, depth - k);
      for (int j = 0; j < 2 * L; j++) {
        encodeColumn(x, k * 2 * L + j, rows, words, j);
      }
      MemorySegment.copy(words, 0, panel, Native.INT, k / BLOCK * BLOCK_BYTES, words.length);
    }
  }

  private static void encodeColumn(float[] x, int from, int rows, int[] words, int column) {
    float most = 0;
    for (int k = 0; k < rows; k++) {
      most = Math.max(most, Math.abs(x[from + k * 2 * L]));
    }
    float inverse = Quantization.inverse(most);
    words[column] = Float.floatToRawIntBits(Quantization.scale(most) * TOP_UNIT);
    for (int i = 0; i < WORDS; i++) {
      int word = 0;
      for (int k = Integer.BYTES * i; k < Math.min(rows, Integer.BYTES * (i + 1)); k++) {
        int q = Quantization.quantize(x[from + k * 2 * L], inverse) & 0xFF;
        word |= q << (Byte.SIZE * (k % Integer.BYTES));
      }
      words[(1 + i) * 2 * L + column] = word;
    }
  }

  /// Makes floats of a panel: `[32 blocks][2 L]`.
  static void decode(MemorySegment b, int blocks, MemorySegment to) {
    for (int block = 0; block < blocks; block++) {
      long at = block * BLOCK_BYTES;
      FloatVector s = FloatVector.fromMemorySegment(S, b, at, LE);
      FloatVector t = FloatVector.fromMemorySegment(S, b, at + HALF, LE);
      for (int i = 0; i < WORDS; i++) {
        long p = at + (1 + i) * ROW;
        long o = (long) (block * WORDS + i) * Integer.BYTES * ROW;
        IntVector v = IntVector.fromMemorySegment(I, b, p, LE);
        IntVector w = IntVector.fromMemorySegment(I, b, p + HALF, LE);
        ((FloatVector) v.lanewise(VectorOperators.LSHL, 24).convert(TO_FLOAT, 0))
            .mul(s)
            .intoMemorySegment(to, o, LE);
        ((FloatVector) w.lanewise(VectorOperators.LSHL, 24).convert(TO_FLOAT, 0))
            .mul(t)
            .intoMemorySegment(to, o + HALF, LE);
        ((FloatVector) v.lanewise(VectorOperators.LSHL, 16).and(TOP).convert(TO_FLOAT, 0))
            .mul(s)
            .intoMemorySegment(to, o + ROW, LE);
        ((FloatVector) w.lanewise(VectorOperators.LSHL, 16).and(TOP).convert(TO_FLOAT, 0))
            .mul(t)
            .intoMemorySegment(to, o + ROW + HALF, LE);
        ((FloatVector) v.lanewise(VectorOperators.LSHL, 8).and(TOP).convert(TO_FLOAT, 0))
            .mul(s)
            .intoMemorySegment(to, o + 2 * ROW, LE);
        ((FloatVector) w.lanewise(VectorOperators.LSHL, 8).and(TOP).convert(TO_FLOAT, 0))
            .mul(t)
            .intoMemorySegment(to, o + 2 * ROW + HALF, LE);
        ((FloatVector) v.and(TOP).convert(TO_FLOAT, 0))
            .mul(s)
            .intoMemorySegment(to, o + 3 * ROW, LE);
        ((FloatVector) w.and(TOP).convert(TO_FLOAT, 0))
            .mul(t)
            .intoMemorySegment(to, o + 3 * ROW + HALF, LE);
      }
    }
  }

  /// `out[i, j] = sum_k a[k, i] b[k, j]`.
  ///
  /// @param rows 1, 2 or 4
  /// @param blocks of the sums
  /// @param a [32 blocks, rows]
  /// @param b the panel
  /// @param out [rows, 2 L]
  static void multiply(int rows, int blocks, float[] a, MemorySegment b, float[] out) {
    switch (rows) {
      case 4 -> four(blocks, a, b, out);
      case 2 -> two(blocks, a, b, out);
      case 1 -> one(blocks, a, b, out);
      default -> throw new IllegalArgumentException("no kernel for so many rows: " + rows);
    }
  }

  /// 4 rows.
  private static void four(int blocks, float[] a, MemorySegment b, float[] out) {
    FloatVector zero = FloatVector.zero(S);
    FloatVector c0a = zero;
    FloatVector c0b = zero;
    FloatVector c1a = zero;
    FloatVector c1b = zero;
    FloatVector c2a = zero;
    FloatVector c2b = zero;
    FloatVector c3a = zero;
    FloatVector c3b = zero;
    for (int block = 0; block < blocks; block++) {
      long at = block * BLOCK_BYTES;
      FloatVector t0a = zero;
      FloatVector t0b = zero;
      FloatVector t1a = zero;
      FloatVector t1b = zero;
      FloatVector t2a = zero;
      FloatVector t2b = zero;
      FloatVector t3a = zero;
      FloatVector t3b = zero;
      for (int i = 0; i < WORDS; i++) {
        long p = at + (1 + i) * ROW;
        int k = (block * WORDS + i) * 16;
        IntVector v = IntVector.fromMemorySegment(I, b, p, LE);
        IntVector w = IntVector.fromMemorySegment(I, b, p + HALF, LE);
        FloatVector x;
        FloatVector f;
        FloatVector g;
        f = (FloatVector) v.lanewise(VectorOperators.LSHL, 24).convert(TO_FLOAT, 0);
        g = (FloatVector) w.lanewise(VectorOperators.LSHL, 24).convert(TO_FLOAT, 0);
        x = FloatVector.broadcast(S, a[k]);
        t0a = x.fma(f, t0a);
        t0b = x.fma(g, t0b);
        x = FloatVector.broadcast(S, a[k + 1]);
        t1a = x.fma(f, t1a);
        t1b = x.fma(g, t1b);
        x = FloatVector.broadcast(S, a[k + 2]);
        t2a = x.fma(f, t2a);
        t2b = x.fma(g, t2b);
        x = FloatVector.broadcast(S, a[k + 3]);
        t3a = x.fma(f, t3a);
        t3b = x.fma(g, t3b);
        f = (FloatVector) v.lanewise(VectorOperators.LSHL, 16).and(TOP).convert(TO_FLOAT, 0);
        g = (FloatVector) w.lanewise(VectorOperators.LSHL, 16).and(TOP).convert(TO_FLOAT, 0);
        x = FloatVector.broadcast(S, a[k + 4]);
        t0a = x.fma(f, t0a);
        t0b = x.fma(g, t0b);
        x = FloatVector.broadcast(S, a[k + 5]);
        t1a = x.fma(f, t1a);
        t1b = x.fma(g, t1b);
        x = FloatVector.broadcast(S, a[k + 6]);
        t2a = x.fma(f, t2a);
        t2b = x.fma(g, t2b);
        x = FloatVector.broadcast(S, a[k + 7]);
        t3a = x.fma(f, t3a);
        t3b = x.fma(g, t3b);
        f = (FloatVector) v.lanewise(VectorOperators.LSHL, 8).and(TOP).convert(TO_FLOAT, 0);
        g = (FloatVector) w.lanewise(VectorOperators.LSHL, 8).and(TOP).convert(TO_FLOAT, 0);
        x = FloatVector.broadcast(S, a[k + 8]);
        t0a = x.fma(f, t0a);
        t0b = x.fma(g, t0b);
        x = FloatVector.broadcast(S, a[k + 9]);
        t1a = x.fma(f, t1a);
        t1b = x.fma(g, t1b);
        x = FloatVector.broadcast(S, a[k + 10]);
        t2a = x.fma(f, t2a);
        t2b = x.fma(g, t2b);
        x = FloatVector.broadcast(S, a[k + 11]);
        t3a = x.fma(f, t3a);
        t3b = x.fma(g, t3b);
        f = (FloatVector) v.and(TOP).convert(TO_FLOAT, 0);
        g = (FloatVector) w.and(TOP).convert(TO_FLOAT, 0);
        x = FloatVector.broadcast(S, a[k + 12]);
        t0a = x.fma(f, t0a);
        t0b = x.fma(g, t0b);
        x = FloatVector.broadcast(S, a[k + 13]);
        t1a = x.fma(f, t1a);
        t1b = x.fma(g, t1b);
        x = FloatVector.broadcast(S, a[k + 14]);
        t2a = x.fma(f, t2a);
        t2b = x.fma(g, t2b);
        x = FloatVector.broadcast(S, a[k + 15]);
        t3a = x.fma(f, t3a);
        t3b = x.fma(g, t3b);
      }
      FloatVector scale = FloatVector.fromMemorySegment(S, b, at, LE);
      c0a = t0a.fma(scale, c0a);
      c1a = t1a.fma(scale, c1a);
      c2a = t2a.fma(scale, c2a);
      c3a = t3a.fma(scale, c3a);
      scale = FloatVector.fromMemorySegment(S, b, at + HALF, LE);
      c0b = t0b.fma(scale, c0b);
      c1b = t1b.fma(scale, c1b);
      c2b = t2b.fma(scale, c2b);
      c3b = t3b.fma(scale, c3b);
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
  private static void two(int blocks, float[] a, MemorySegment b, float[] out) {
    FloatVector zero = FloatVector.zero(S);
    FloatVector c0a = zero;
    FloatVector c0b = zero;
    FloatVector c1a = zero;
    FloatVector c1b = zero;
    for (int block = 0; block < blocks; block++) {
      long at = block * BLOCK_BYTES;
      FloatVector t0a = zero;
      FloatVector t0b = zero;
      FloatVector t1a = zero;
      FloatVector t1b = zero;
      for (int i = 0; i < WORDS; i++) {
        long p = at + (1 + i) * ROW;
        int k = (block * WORDS + i) * 8;
        IntVector v = IntVector.fromMemorySegment(I, b, p, LE);
        IntVector w = IntVector.fromMemorySegment(I, b, p + HALF, LE);
        FloatVector x;
        FloatVector f;
        FloatVector g;
        f = (FloatVector) v.lanewise(VectorOperators.LSHL, 24).convert(TO_FLOAT, 0);
        g = (FloatVector) w.lanewise(VectorOperators.LSHL, 24).convert(TO_FLOAT, 0);
        x = FloatVector.broadcast(S, a[k]);
        t0a = x.fma(f, t0a);
        t0b = x.fma(g, t0b);
        x = FloatVector.broadcast(S, a[k + 1]);
        t1a = x.fma(f, t1a);
        t1b = x.fma(g, t1b);
        f = (FloatVector) v.lanewise(VectorOperators.LSHL, 16).and(TOP).convert(TO_FLOAT, 0);
        g = (FloatVector) w.lanewise(VectorOperators.LSHL, 16).and(TOP).convert(TO_FLOAT, 0);
        x = FloatVector.broadcast(S, a[k + 2]);
        t0a = x.fma(f, t0a);
        t0b = x.fma(g, t0b);
        x = FloatVector.broadcast(S, a[k + 3]);
        t1a = x.fma(f, t1a);
        t1b = x.fma(g, t1b);
        f = (FloatVector) v.lanewise(VectorOperators.LSHL, 8).and(TOP).convert(TO_FLOAT, 0);
        g = (FloatVector) w.lanewise(VectorOperators.LSHL, 8).and(TOP).convert(TO_FLOAT, 0);
        x = FloatVector.broadcast(S, a[k + 4]);
        t0a = x.fma(f, t0a);
        t0b = x.fma(g, t0b);
        x = FloatVector.broadcast(S, a[k + 5]);
        t1a = x.fma(f, t1a);
        t1b = x.fma(g, t1b);
        f = (FloatVector) v.and(TOP).convert(TO_FLOAT, 0);
        g = (FloatVector) w.and(TOP).convert(TO_FLOAT, 0);
        x = FloatVector.broadcast(S, a[k + 6]);
        t0a = x.fma(f, t0a);
        t0b = x.fma(g, t0b);
        x = FloatVector.broadcast(S, a[k + 7]);
        t1a = x.fma(f, t1a);
        t1b = x.fma(g, t1b);
      }
      FloatVector scale = FloatVector.fromMemorySegment(S, b, at, LE);
      c0a = t0a.fma(scale, c0a);
      c1a = t1a.fma(scale, c1a);
      scale = FloatVector.fromMemorySegment(S, b, at + HALF, LE);
      c0b = t0b.fma(scale, c0b);
      c1b = t1b.fma(scale, c1b);
    }
    c0a.intoArray(out, 0);
    c0b.intoArray(out, L);
    c1a.intoArray(out, 2 * L);
    c1b.intoArray(out, 3 * L);
  }

  /// One row, in two chains of sums a vector: one would wait for itself.
  private static void one(int blocks, float[] a, MemorySegment b, float[] out) {
    FloatVector zero = FloatVector.zero(S);
    FloatVector c0a = zero;
    FloatVector c0b = zero;
    for (int block = 0; block < blocks; block++) {
      long at = block * BLOCK_BYTES;
      FloatVector s = FloatVector.fromMemorySegment(S, b, at, LE);
      FloatVector t = FloatVector.fromMemorySegment(S, b, at + HALF, LE);
      FloatVector t0a = zero;
      FloatVector u0a = zero;
      FloatVector t0b = zero;
      FloatVector u0b = zero;
      for (int i = 0; i < WORDS; i++) {
        long p = at + (1 + i) * ROW;
        int k = block * BLOCK + i * 4;
        FloatVector x0 = FloatVector.broadcast(S, a[k]);
        FloatVector x1 = FloatVector.broadcast(S, a[k + 1]);
        FloatVector x2 = FloatVector.broadcast(S, a[k + 2]);
        FloatVector x3 = FloatVector.broadcast(S, a[k + 3]);
        IntVector w = IntVector.fromMemorySegment(I, b, p, LE);
        t0a =
            ((FloatVector) w.lanewise(VectorOperators.LSHL, 24).convert(TO_FLOAT, 0)).fma(x0, t0a);
        u0a =
            ((FloatVector) w.lanewise(VectorOperators.LSHL, 16).and(TOP).convert(TO_FLOAT, 0))
                .fma(x1, u0a);
        t0a =
            ((FloatVector) w.lanewise(VectorOperators.LSHL, 8).and(TOP).convert(TO_FLOAT, 0))
                .fma(x2, t0a);
        u0a = ((FloatVector) w.and(TOP).convert(TO_FLOAT, 0)).fma(x3, u0a);
        w = IntVector.fromMemorySegment(I, b, p + HALF, LE);
        t0b =
            ((FloatVector) w.lanewise(VectorOperators.LSHL, 24).convert(TO_FLOAT, 0)).fma(x0, t0b);
        u0b =
            ((FloatVector) w.lanewise(VectorOperators.LSHL, 16).and(TOP).convert(TO_FLOAT, 0))
                .fma(x1, u0b);
        t0b =
            ((FloatVector) w.lanewise(VectorOperators.LSHL, 8).and(TOP).convert(TO_FLOAT, 0))
                .fma(x2, t0b);
        u0b = ((FloatVector) w.and(TOP).convert(TO_FLOAT, 0)).fma(x3, u0b);
      }
      c0a = t0a.add(u0a).fma(s, c0a);
      c0b = t0b.add(u0b).fma(t, c0b);
    }
    c0a.intoArray(out, 0);
    c0b.intoArray(out, L);
  }
}
