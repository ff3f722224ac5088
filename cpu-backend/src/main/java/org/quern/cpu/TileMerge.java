package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/// Moves a tile of results from its array to the tensor. Apart from the kernels, since arrays and
/// segments mixed in one large body confuse the JIT.
final class TileMerge {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final int WIDTH = PackedTile.WIDTH;
  private static final long HALF = (long) L * Float.BYTES;

  private TileMerge() {}

  /// `c = alpha tile + bias`.
  ///
  /// @param tile rows of [PackedTile#WIDTH]
  /// @param c the tensor
  /// @param at the element of `c` where the tile starts
  /// @param stride of c's rows
  /// @param rows how many
  /// @param columns how many
  /// @param bias (N), or null
  /// @param column the tile's first column, for the bias
  static void set(
      float[] tile,
      MemorySegment c,
      long at,
      int stride,
      int rows,
      int columns,
      float alpha,
      @Nullable MemorySegment bias,
      int column) {
    if (columns < WIDTH) {
      setEdge(tile, c, at, stride, rows, columns, alpha, bias, column);
    } else if (bias == null) {
      setWhole(tile, c, at * Float.BYTES, (long) stride * Float.BYTES, rows, alpha);
    } else {
      long first = (long) column * Float.BYTES;
      FloatVector b0 = FloatVector.fromMemorySegment(S, bias, first, LE);
      FloatVector b1 = FloatVector.fromMemorySegment(S, bias, first + HALF, LE);
      long to = at * Float.BYTES;
      for (int i = 0; i < rows; i++, to += (long) stride * Float.BYTES) {
        FloatVector.fromArray(S, tile, i * WIDTH).add(b0).intoMemorySegment(c, to, LE);
        FloatVector.fromArray(S, tile, i * WIDTH + L).add(b1).intoMemorySegment(c, to + HALF, LE);
      }
    }
  }

  private static void setWhole(
      float[] tile, MemorySegment c, long to, long stride, int rows, float alpha) {
    for (int i = 0; i < rows; i++, to += stride) {
      FloatVector.fromArray(S, tile, i * WIDTH).mul(alpha).intoMemorySegment(c, to, LE);
      FloatVector.fromArray(S, tile, i * WIDTH + L).mul(alpha).intoMemorySegment(c, to + HALF, LE);
    }
  }

  private static void setEdge(
      float[] tile,
      MemorySegment c,
      long at,
      int stride,
      int rows,
      int columns,
      float alpha,
      @Nullable MemorySegment bias,
      int column) {
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        float add = bias == null ? 0 : Native.get(bias, column + j);
        tile[i * WIDTH + j] = tile[i * WIDTH + j] * alpha + add;
      }
      Native.store(c, at + (long) i * stride, tile, i * WIDTH, columns);
    }
  }

  /// `c += alpha tile`.
  ///
  /// @param tile rows of [PackedTile#WIDTH]
  /// @param c the tensor
  /// @param at the element of `c` where the tile starts
  /// @param stride of c's rows
  /// @param rows how many
  /// @param columns how many
  static void add(
      float[] tile, MemorySegment c, long at, int stride, int rows, int columns, float alpha) {
    if (columns < WIDTH) {
      for (int i = 0; i < rows; i++) {
        long to = at + (long) i * stride;
        for (int j = 0; j < columns; j++) {
          tile[i * WIDTH + j] = Math.fma(tile[i * WIDTH + j], alpha, Native.get(c, to + j));
        }
        Native.store(c, to, tile, i * WIDTH, columns);
      }
      return;
    }
    long to = at * Float.BYTES;
    for (int i = 0; i < rows; i++, to += (long) stride * Float.BYTES) {
      FloatVector.fromArray(S, tile, i * WIDTH)
          .fma(FloatVector.broadcast(S, alpha), FloatVector.fromMemorySegment(S, c, to, LE))
          .intoMemorySegment(c, to, LE);
      FloatVector.fromArray(S, tile, i * WIDTH + L)
          .fma(FloatVector.broadcast(S, alpha), FloatVector.fromMemorySegment(S, c, to + HALF, LE))
          .intoMemorySegment(c, to + HALF, LE);
    }
  }
}
