package org.quern.kernels;

import java.util.LinkedHashMap;
import java.util.Map;

/// The sizes that kernels are compiled with on a device. Every combination gives the right results;
/// which is fast is a matter of the device.
///
/// @param vector floats that an item handles at once: 4, 8 or 16
/// @param elementGroup items of a group of an elementwise kernel, a power of two
/// @param rowGroup items that share a row: of a softmax, a normalization, a dot product; a power of
///   two
/// @param matmul the tile of a matrix product
/// @param flash the tile of attention
public record Tuning(int vector, int elementGroup, int rowGroup, Tile matmul, Tile flash) {
  /// Checks the numbers.
  ///
  /// @throws IllegalArgumentException naming the one that cannot be
  public Tuning {
    require(vector == 4 || vector == 8 || vector == 16, "vector must be 4, 8 or 16", vector);
    requirePower("elementGroup", elementGroup);
    requirePower("rowGroup", rowGroup);
    require(matmul.depth() % vector == 0, "matmul: depth must be whole vectors", matmul.depth());
  }

  private static void requirePower(String name, int value) {
    require(
        value > 0 && value <= 1024 && Integer.bitCount(value) == 1,
        name + " must be a power of two up to 1024",
        value);
  }

  private static void require(boolean ok, String what, int found) {
    if (!ok) {
      throw new IllegalArgumentException("tuning: %s, found %d".formatted(what, found));
    }
  }

  /// A group's tile: `rowItems * repeats * rows` by `columnItems * columns * vector` elements.
  ///
  /// @param rowItems items along the rows (WM)
  /// @param columnItems items along the columns (WN)
  /// @param rows rows that an item has in registers (TM)
  /// @param repeats how many blocks of that many rows an item has, one after the other (RT)
  /// @param columns vectors that an item has in registers (CT)
  /// @param depth inner products between two visits to global memory (TK); attention has none
  public record Tile(int rowItems, int columnItems, int rows, int repeats, int columns, int depth) {
    /// Checks the numbers.
    ///
    /// @throws IllegalArgumentException if one is not positive, or an item has more than 256
    ///   vectors
    public Tile {
      int[] all = {rowItems, columnItems, rows, repeats, columns, depth};
      for (int n : all) {
        require(n > 0 && n <= 1024, "a tile's sizes must be from 1 to 1024", n);
      }
      require(
          rows * columns <= 64, "a tile's registers must be 64 vectors at most", rows * columns);
      require(rowItems * columnItems <= 1024, "a tile's items", rowItems * columnItems);
    }

    /// {@return items of the group}
    public int group() {
      return rowItems * columnItems;
    }

    /// {@return rows of the tile}
    public int height() {
      return rowItems * repeats * rows;
    }

    /// {@return columns of the tile}
    ///
    /// @param vector floats in a vector
    public int width(int vector) {
      return columnItems * columns * vector;
    }

    /// {@return the next smaller tile, rows first; itself when there is none}
    Tile smaller() {
      if (repeats > 1) {
        return new Tile(rowItems, columnItems, rows, repeats / 2, columns, depth);
      }
      if (rows > 1) {
        return new Tile(rowItems, columnItems, rows / 2, repeats, columns, depth);
      }
      if (columns > 1) {
        return new Tile(rowItems, columnItems, rows, repeats, columns / 2, depth);
      }
      if (rowItems > 1) {
        return new Tile(rowItems / 2, columnItems, rows, repeats, columns, depth);
      }
      return columnItems > 1
          ? new Tile(rowItems, columnItems / 2, rows, repeats, columns, depth)
          : this;
    }

    /// {@return this tile with at most that many items}
    Tile withGroupUpTo(int most) {
      Tile t = this;
      while (t.group() > most) {
        t =
            t.rowItems >= t.columnItems
                ? new Tile(t.rowItems / 2, t.columnItems, t.rows, t.repeats, t.columns, t.depth)
                : new Tile(t.rowItems, t.columnItems / 2, t.rows, t.repeats, t.columns, t.depth);
      }
      return t;
    }

    /// {@return the definitions that a kernel takes, but for TK}
    Map<String, Object> definitions() {
      Map<String, Object> out = new LinkedHashMap<>();
      out.put("WM", rowItems);
      out.put("WN", columnItems);
      out.put("TM", rows);
      out.put("RT", repeats);
      out.put("CT", columns);
      return out;
    }
  }

  /// {@return what a device of that kind gets that nobody has measured}
  ///
  /// @param limits of the device
  public static Tuning defaults(DeviceLimits limits) {
    Tuning t =
        switch (limits.kind()) {
          case GPU -> gpu();
          case CPU -> cpu(limits.vectorWidth());
        };
    return t.fit(limits);
  }

  /// {@return many items with narrow vectors}
  static Tuning gpu() {
    return new Tuning(4, 256, 128, new Tile(8, 8, 8, 1, 2, 16), new Tile(8, 8, 8, 1, 1, 1));
  }

  /// {@return one item a core with the widest vectors: its registers hold 24 of 32 (AVX-512) or 12
  /// of 16 accumulators}
  ///
  /// @param width of the processor's vectors, in floats
  static Tuning cpu(int width) {
    int vector = width >= 16 ? 16 : width >= 8 ? 8 : 4;
    int columns = vector == 16 ? 4 : 2;
    return new Tuning(
        vector, 64, 1, new Tile(1, 1, 6, 16, columns, 64), new Tile(1, 1, 6, 8, columns, 1));
  }

  /// {@return this tuning within a device's limits}
  ///
  /// @param limits of the device
  public Tuning fit(DeviceLimits limits) {
    int most = Integer.highestOneBit(limits.groupSize());
    Tile product = matmul.withGroupUpTo(most);
    while (matmulBytes(product) > limits.localBytes() && !product.equals(product.smaller())) {
      product = product.smaller();
    }
    return new Tuning(
        vector,
        Math.min(elementGroup, most),
        Math.min(rowGroup, most),
        product,
        flash.withGroupUpTo(most));
  }

  /// {@return local memory of `matmul`, whichever way its operands are stored}
  private long matmulBytes(Tile tile) {
    long plain = (long) tile.height() * (tile.depth() + vector);
    long transposed = (long) tile.depth() * (tile.height() + vector);
    long right = (long) tile.depth() * tile.width(vector);
    return Float.BYTES * (Math.max(plain, transposed) + right);
  }

  /// {@return the largest tile of an attention kernel that fits local memory, or null if none does}
  ///
  /// @param limits of the device
  /// @param size D
  /// @param staged tiles of rows that the kernel keeps: 1 forward, 2 backward
  @org.jspecify.annotations.Nullable
  Tile attention(DeviceLimits limits, int size, int staged) {
    // The backward has twice as much in registers, of which a GPU's item has few.
    Tile tile = staged == 2 && flash.repeats() == 1 && flash.rows() > 1 ? flash.smaller() : flash;
    while (attentionBytes(tile, size, staged) > limits.localBytes()) {
      if (tile.equals(tile.smaller())) {
        return null;
      }
      tile = tile.smaller();
    }
    return tile;
  }

  private long attentionBytes(Tile tile, int size, int staged) {
    int step = tile.columnItems() * vector;
    long padded = (size + step - 1L) / step * step;
    long rows = tile.height();
    long columns = tile.width(vector);
    long elements =
        staged * rows * (padded + vector) + columns * padded + rows * (columns + vector) + 3 * rows;
    return Float.BYTES * elements;
  }
}
