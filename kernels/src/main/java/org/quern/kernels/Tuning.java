package org.quern.kernels;

/// The sizes that kernels are compiled with on a device. Every combination that [#fits] gives the
/// right results; which is fast is a matter of the device.
///
/// @param vector floats that an item handles at once: 4, 8 or 16
/// @param elementGroup items of a group of an elementwise kernel
/// @param rowGroup items that share a row: of a softmax, a normalization, a dot product; a power of
///   two
/// @param matmul the tile of a matrix product
/// @param flash the tile of attention
public record Tuning(int vector, int elementGroup, int rowGroup, Tile matmul, Tile flash) {
  /// A group's tile: `rowItems * rows` times `columnItems * vector`, `depth` at a time.
  ///
  /// @param rowItems items along the rows
  /// @param columnItems items along the columns
  /// @param rows rows of one item
  /// @param depth of what is staged in local memory: inner products of a matmul; unused by
  ///   attention
  public record Tile(int rowItems, int columnItems, int rows, int depth) {
    /// {@return items of the group}
    public int group() {
      return rowItems * columnItems;
    }

    /// {@return rows of the tile}
    public int height() {
      return rowItems * rows;
    }
  }
}
