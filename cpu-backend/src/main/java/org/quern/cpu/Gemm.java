package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.Sink;
import org.quern.core.Trans;

/// One matrix product `c = alpha op(a) b`, on panels of b: what one thread does to a block of c.
///
/// The loops are those of Goto and van de Geijn ("Anatomy of high-performance matrix
/// multiplication", 2008) with the two inner ones exchanged: a block of packed rows stays in the
/// second-level cache, each panel of b passes by it once.
///
/// Every element of c is the sum over blocks of the depth, in order, of a chain of fused
/// multiply-adds; the blocks follow from the depth alone. Which thread computes which rows and
/// columns does not show.
///
/// @param m rows of c
/// @param n columns of c
/// @param k the depth
/// @param c the result
/// @param cAt where its matrix starts
/// @param mode replace or add
/// @param a the left operand
/// @param aAt where its matrix starts
/// @param trans whether it is transposed
/// @param alpha the factor
/// @param bias (N) to add, with SET and a factor of 1, or null
/// @param y (M, N), what the activation makes of c, or null for none
/// @param f the activation
record Gemm(
    int m,
    int n,
    int k,
    MemorySegment c,
    long cAt,
    Sink.Mode mode,
    MemorySegment a,
    long aAt,
    Trans trans,
    float alpha,
    @Nullable MemorySegment bias,
    @Nullable MemorySegment y,
    Activation f) {

  private static final int WIDTH = PackedTile.WIDTH;

  /// The most rows of b in a block: longer sums write c less often.
  private static final int DEPTH = 768;

  /// The most floats of a block of packed rows: half a second-level cache of 1 MiB.
  private static final int LEFT = 1 << 17;

  private static final int MOST_PANELS = 64;

  // The matrices of a scratch.
  private static final int LEFT_PANELS = 0;

  /// The panel of a scratch that holds one in F32, while another holds the right operand.
  private static final int DECODED = 1;

  // The arrays of a scratch, behind those of Packing.
  private static final int TILE = 2;

  /// {@return the block length of the depth: equal blocks of at most [#DEPTH], of whole blocks of
  /// [Quantization#BLOCK]}
  static int depthBlock(int k) {
    int blocks = CpuOps.parts(k, DEPTH);
    return Math.min(k, (CpuOps.parts(k, blocks) + 31) & -32);
  }

  /// {@return the most rows that are packed at once}
  static int rowBlock(int k) {
    int rows = LEFT / depthBlock(k) / PackedTile.ROWS * PackedTile.ROWS;
    return Math.clamp(rows, PackedTile.ROWS, MOST_PANELS * PackedTile.ROWS);
  }

  /// Computes rows `row` to `rowEnd`, at most [#rowBlock], and columns `column` to `columnEnd` over
  /// the depth of the panels.
  void block(
      Kernels kernels,
      Scratch scratch,
      Panels panels,
      int row,
      int rowEnd,
      int column,
      int columnEnd) {
    int blockDepth = panels.block(k, m);
    int end = panels.first() + panels.depth();
    for (int k0 = panels.first(); k0 < end; k0 += blockDepth) {
      int depth = Math.min(blockDepth, end - k0);
      float[][] left = packLeft(scratch, panels.tileRows(m), row, rowEnd, k0, depth);
      for (int j = column; j < columnEnd; j += WIDTH) {
        panel(scratch, left, panels, row, rowEnd, j, k0, depth);
      }
    }
    if (end == k) {
      activate(kernels, scratch, row, rowEnd, column, columnEnd);
    }
  }

  /// Makes y of a block of c that is done.
  void activate(Kernels kernels, Scratch scratch, int row, int rowEnd, int column, int columnEnd) {
    if (y != null) {
      kernels.biasActivation(
          scratch,
          y,
          c,
          rowEnd - row,
          n,
          cAt + (long) row * n + column,
          null,
          0,
          columnEnd - column,
          f);
    }
  }

  private float[][] packLeft(
      Scratch scratch, int tileRows, int row, int rowEnd, int k0, int depth) {
    int stride = trans == Trans.N ? k : m;
    int panels = CpuOps.parts(rowEnd - row, tileRows);
    int padded = Quantization.blocks(depth) * Quantization.BLOCK;
    int floats = Packing.leftFloats(tileRows, padded);
    float[][] left = scratch.rows(LEFT_PANELS, panels, floats);
    for (int i = 0; i < panels; i++) {
      int first = row + i * tileRows;
      int rows = Math.min(tileRows, rowEnd - first);
      int kernelRows = PackedTile.kernelRows(rows);
      Packing.left(scratch, a, aAt, trans, stride, first, rows, kernelRows, k0, depth, left[i]);
      Arrays.fill(left[i], kernelRows * depth, kernelRows * padded, 0);
    }
    return left;
  }

  private void panel(
      Scratch scratch,
      float[][] left,
      Panels panels,
      int row,
      int rowEnd,
      int column,
      int k0,
      int depth) {
    MemorySegment b = panels.at(column, k0, depth);
    boolean direct = panels.direct(m);
    int tileRows = panels.tileRows(m);
    if (!direct) {
      MemorySegment floats = scratch.panel(DECODED, (long) (DEPTH + Quantization.BLOCK) * WIDTH);
      panels.decode(b, depth, floats);
      b = floats;
    }
    float[] tile = scratch.floats(TILE, PackedTile.ROWS * WIDTH);
    boolean replace = k0 == 0 && mode == Sink.Mode.SET;
    for (int i = 0, first = row; first < rowEnd; i++, first += tileRows) {
      int rows = Math.min(tileRows, rowEnd - first);
      int kernelRows = PackedTile.kernelRows(rows);
      if (direct) {
        panels.multiply(kernelRows, depth, left[i], b, tile);
      } else {
        PackedTile.multiply(kernelRows, depth, left[i], b, tile, 0, WIDTH);
      }
      merge(tile, first, rows, column, replace);
    }
  }

  /// Moves what a kernel made of a panel to c.
  ///
  /// @param tile rows of [#WIDTH]
  /// @param row of c
  /// @param rows how many
  /// @param column the panel's first
  /// @param replace whether what is in c is to go
  void merge(float[] tile, int row, int rows, int column, boolean replace) {
    int columns = Math.min(WIDTH, n - column);
    long at = cAt + (long) row * n + column;
    if (replace) {
      TileMerge.set(tile, c, at, n, rows, columns, alpha, bias, column);
    } else {
      TileMerge.add(tile, c, at, n, rows, columns, alpha);
    }
  }
}
