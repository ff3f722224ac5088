package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.quern.core.Trans;

/// Copies operands of matrix products to the layouts of [PackedTile].
///
/// The right operand's panels lie one behind the other, `[panel][depth][WIDTH]`, each over the
/// whole depth: any block of the depth is then contiguous too, and one layout serves all.
final class Packing {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final int WIDTH = PackedTile.WIDTH;

  // Arrays of a scratch: rows as they lie in the tensor, and transposed.
  private static final int STAGE = 0;
  private static final int TURNED = 1;

  /// Rows of a panel that are packed at a time, so that both arrays stay in a first-level cache.
  private static final int ONCE = 128;

  /// Floats of a cache line.
  private static final int LINE = (int) Machine.CACHE_LINE / Float.BYTES;

  private Packing() {}

  /// {@return the floats that the panels of a right operand take}
  ///
  /// @param columns of the operand
  /// @param depth of the operand
  static long panelFloats(int columns, int depth) {
    return (long) CpuOps.parts(columns, WIDTH) * depth * WIDTH;
  }

  /// {@return the array length that a panel of the left operand needs}
  static int leftFloats(int rows, int depth) {
    return rows * depth + Transpose.SLACK;
  }

  /// Packs rows of the left operand to `[depth][kernelRows]`. What lies behind the last row is
  /// arbitrary.
  ///
  /// @param a the tensor
  /// @param at where the matrix starts
  /// @param trans whether it is transposed
  /// @param stride of its rows
  /// @param row the first row to take
  /// @param rows how many
  /// @param kernelRows of the kernel, at least `rows`
  /// @param k0 the first column to take
  /// @param depth how many
  /// @param panel takes the result
  static void left(
      Scratch scratch,
      MemorySegment a,
      long at,
      Trans trans,
      int stride,
      int row,
      int rows,
      int kernelRows,
      int k0,
      int depth,
      float[] panel) {
    switch (trans) {
      case N -> {
        long first = at + (long) row * stride + k0;
        if (kernelRows == 1) {
          Native.load(panel, 0, a, first, depth);
        } else {
          float[] stage = scratch.floats(STAGE, WIDTH * depth);
          loadRows(stage, a, first, stride, rows, depth);
          Transpose.run(stage, 0, depth, rows, kernelRows, depth, panel, 0, kernelRows);
        }
      }
      case T -> {
        long first = at + (long) k0 * stride + row;
        long end = a.byteSize() / Float.BYTES;
        // Whole vectors where they stay within the tensor; each overwrites the excess of the last.
        int whole = kernelRows > L ? 0 : wholeVectors(end - first, stride, depth);
        gather(a, first, stride, whole, panel, kernelRows);
        for (int k = whole; k < depth; k++) {
          Native.load(panel, k * kernelRows, a, first + (long) k * stride, rows);
        }
      }
    }
  }

  private static int wholeVectors(long floats, int stride, int depth) {
    return Math.clamp((floats - L) / stride + (floats >= L ? 1 : 0), 0, depth);
  }

  private static void gather(
      MemorySegment a, long first, int stride, int depth, float[] panel, int step) {
    long bytes = (long) stride * Float.BYTES;
    long base = first * Float.BYTES;
    for (int k = 0; k < depth; k++) {
      FloatVector.fromMemorySegment(S, a, base + k * bytes, LE).intoArray(panel, k * step);
    }
  }

  private static void loadRows(
      float[] stage, MemorySegment x, long first, int stride, int rows, int depth) {
    if (stride == depth) {
      Native.load(stage, 0, x, first, rows * depth);
      return;
    }
    for (int i = 0; i < rows; i++) {
      Native.load(stage, i * depth, x, first + (long) i * stride, depth);
    }
  }

  /// Packs one panel of the right operand. Columns behind the last one are arbitrary.
  ///
  /// @param b the tensor
  /// @param at where the matrix starts
  /// @param trans whether it is transposed
  /// @param stride of its rows
  /// @param column the first column to take
  /// @param columns how many, at most [PackedTile#WIDTH]
  /// @param k0 the first row to take
  /// @param depth how many
  /// @param panel takes the result, from its start
  static void right(
      Scratch scratch,
      MemorySegment b,
      long at,
      Trans trans,
      int stride,
      int column,
      int columns,
      int k0,
      int depth,
      MemorySegment panel) {
    switch (trans) {
      case N -> {
        long first = at + (long) k0 * stride + column;
        if (columns == WIDTH) {
          copyPairs(b, first * Float.BYTES, (long) stride * Float.BYTES, depth, panel);
        } else {
          for (int k = 0; k < depth; k++) {
            Native.copy(panel, (long) k * WIDTH, b, first + (long) k * stride, columns);
          }
        }
      }
      case T -> {
        float[] stage = scratch.floats(STAGE, WIDTH * depth);
        float[] turned = scratch.floats(TURNED, WIDTH * depth + Transpose.SLACK);
        loadRows(stage, b, at + (long) column * stride + k0, stride, columns, depth);
        for (int i = 0; i < columns; i += L) {
          int rows = Math.min(L, columns - i);
          turn(stage, i * depth, depth, rows, turned, i);
        }
        Native.store(panel, 0, turned, 0, WIDTH * depth);
      }
    }
  }

  /// Packs one panel of a weight like [#right] does of a transposed operand, by plain loops: what
  /// is done once in a process is over before the JIT has compiled vector code, which until then is
  /// slower than any other.
  ///
  /// @param weight (N, K)
  /// @param column the first of its rows to take
  /// @param columns how many, at most [PackedTile#WIDTH]
  /// @param depth K
  /// @param panel takes the result, from its start
  static void weight(
      Scratch scratch,
      MemorySegment weight,
      int column,
      int columns,
      int depth,
      MemorySegment panel) {
    float[] stage = scratch.floats(STAGE, WIDTH * ONCE);
    float[] turned = scratch.floats(TURNED, WIDTH * ONCE);
    for (int k = 0; k < depth; k += ONCE) {
      int some = Math.min(ONCE, depth - k);
      loadRows(stage, weight, (long) column * depth + k, depth, columns, some);
      for (int l = 0; l < some; l += LINE) {
        turnLine(stage, some, columns - 1, l, Math.min(some, l + LINE), turned);
      }
      Native.store(panel, (long) k * WIDTH, turned, 0, WIDTH * some);
    }
  }

  /// Turns a cache line's length of each row. Rows behind `last` repeat it.
  private static void turnLine(
      float[] stage, int stride, int last, int first, int end, float[] turned) {
    for (int i = 0; i < WIDTH; i++) {
      int row = Math.min(i, last) * stride;
      for (int k = first; k < end; k++) {
        turned[k * WIDTH + i] = stage[row + k];
      }
    }
  }

  private static void turn(float[] stage, int from, int depth, int rows, float[] out, int at) {
    Transpose.run(stage, from, depth, rows, L, depth, out, at, WIDTH);
  }

  private static void copyPairs(
      MemorySegment b, long from, long stride, int depth, MemorySegment panel) {
    long half = (long) L * Float.BYTES;
    for (int k = 0; k < depth; k++) {
      long source = from + k * stride;
      long target = 2 * half * k;
      FloatVector.fromMemorySegment(S, b, source, LE).intoMemorySegment(panel, target, LE);
      FloatVector.fromMemorySegment(S, b, source + half, LE)
          .intoMemorySegment(panel, target + half, LE);
    }
  }
}
