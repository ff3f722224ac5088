package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import org.quern.core.Precision;

/// Panels of the right operand of a product: columns `column` to `column + columns`, rows `first`
/// to `first + depth`, in the layout that the precision has.
///
/// @param memory panel after panel
/// @param precision F32: `[depth][WIDTH]`; BF16: [HalfTile]; Q8: [EightBitTile]
/// @param column the first column, a multiple of [PackedTile#WIDTH]
/// @param columns how many
/// @param first the first row, a multiple of [Gemm#depthBlock]
/// @param depth how many
record Panels(
    MemorySegment memory, Precision precision, int column, int columns, int first, int depth) {
  private static final int WIDTH = PackedTile.WIDTH;

  /// Rows of the largest kernels that read BF16 and Q8.
  private static final int FEW = 4;

  /// Up to so many rows those kernels pass by, some at a time; for more, each panel is turned into
  /// F32 first, which takes about as long as four passes.
  private static final int MOST_DIRECT = 4 * FEW;

  /// {@return the bytes of one panel, or of any block of its depth that [Gemm#depthBlock] makes}
  ///
  /// @param precision of the numbers
  /// @param depth its rows
  static long bytes(Precision precision, int depth) {
    return switch (precision) {
      case F32 -> (long) depth * WIDTH * Float.BYTES;
      case BF16 -> HalfTile.bytes(depth);
      case Q8 -> Quantization.blocks(depth) * EightBitTile.BLOCK_BYTES;
      case F16 -> throw new IllegalArgumentException("no panels of F16");
    };
  }

  /// {@return rows of one panel}
  ///
  /// @param panelColumn the panel's first column
  /// @param row the first row, a multiple of [Gemm#depthBlock]
  /// @param rows how many
  MemorySegment at(int panelColumn, int row, int rows) {
    int panel = (panelColumn - column) / WIDTH;
    long at = panel * bytes(precision, depth) + bytes(precision, row - first);
    return memory.asSlice(at, bytes(precision, rows));
  }

  /// {@return whether a product reads the panels as they are}
  ///
  /// @param m all rows of the left operand: how they are divided must not show
  boolean direct(int m) {
    return precision == Precision.F32 || m <= MOST_DIRECT;
  }

  /// {@return the rows of the left operand that a kernel takes at most}
  ///
  /// @param m all rows of the left operand
  int tileRows(int m) {
    return precision == Precision.F32 || !direct(m) ? PackedTile.ROWS : FEW;
  }

  /// {@return how many rows of b are taken at a time}
  ///
  /// @param k the depth of the product
  /// @param m all rows of the left operand
  int block(int k, int m) {
    // Panels that are read once, and so from memory, are read in one go: each new place costs time.
    return m <= FEW && depth == k ? k : Gemm.depthBlock(k);
  }

  /// {@return the rows of c from which on turning panels into F32 is a small part of the work}
  int leastRows() {
    return precision == Precision.F32 ? 4 * PackedTile.ROWS : 3 * FEW * PackedTile.ROWS;
  }

  /// Fills one panel from numbers.
  ///
  /// @param panel which one
  /// @param numbers `[depth][WIDTH]`
  void encode(int panel, float[] numbers) {
    MemorySegment to = at(column + panel * WIDTH, first, depth);
    switch (precision) {
      case F32 -> Native.store(to, 0, numbers, 0, depth * WIDTH);
      case BF16 -> HalfTile.encode(numbers, depth, to);
      case Q8 -> EightBitTile.encode(numbers, depth, to);
      case F16 -> throw new IllegalArgumentException("no panels of F16");
    }
  }

  /// Turns rows of a panel into F32.
  ///
  /// @param b from [#at]
  /// @param rows how many
  /// @param to `[rows][WIDTH]`, with room for whole blocks
  void decode(MemorySegment b, int rows, MemorySegment to) {
    switch (precision) {
      case BF16 -> HalfTile.decode(b, rows, to);
      case Q8 -> EightBitTile.decode(b, Quantization.blocks(rows), to);
      case F32, F16 -> throw new IllegalArgumentException("not to be decoded: " + precision);
    }
  }

  /// `out[i, j] = sum_k a[k, i] b[k, j]` for a few rows i, on rows of a panel as they are.
  ///
  /// @param rows one of the values of [PackedTile#kernelRows]
  /// @param rowsOfB the length of the sums
  /// @param a [rowsOfB, rows], filled up with zeros to whole blocks of [Quantization#BLOCK]
  /// @param b from [#at]
  /// @param out rows of [PackedTile#WIDTH]
  void multiply(int rows, int rowsOfB, float[] a, MemorySegment b, float[] out) {
    switch (precision) {
      case F32 -> PackedTile.multiply(rows, rowsOfB, a, b, out, 0, WIDTH);
      case BF16 -> HalfTile.multiply(rows, rowsOfB, a, b, out);
      case Q8 -> EightBitTile.multiply(rows, Quantization.blocks(rowsOfB), a, b, out);
      case F16 -> throw new IllegalArgumentException("no panels of F16");
    }
  }
}
