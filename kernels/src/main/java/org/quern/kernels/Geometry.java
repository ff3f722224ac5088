package org.quern.kernels;

import java.util.LinkedHashMap;
import java.util.Map;

/// How a kernel's work is divided, and the definitions that follow from it and a [Tuning].
public sealed interface Geometry {
  /// {@return the definitions that a kernel of this geometry is compiled with}
  ///
  /// @param tuning of the device
  Map<String, Object> definitions(Tuning tuning);

  /// An item takes VW elements.
  record PerElement() implements Geometry {
    @Override
    public Map<String, Object> definitions(Tuning tuning) {
      return group(tuning, tuning.elementGroup());
    }

    /// {@return enough groups}
    ///
    /// @param tuning of the device
    /// @param elements how many there are
    static Grid grid(Tuning tuning, long elements) {
      return items(tuning, (elements + tuning.vector() - 1) / tuning.vector());
    }

    /// {@return enough groups}
    ///
    /// @param tuning of the device
    /// @param items how many have something to do
    static Grid items(Tuning tuning, long items) {
      int group = tuning.elementGroup();
      return Grid.of((items + group - 1) / group, group);
    }
  }

  /// A group takes a row.
  record PerRow() implements Geometry {
    @Override
    public Map<String, Object> definitions(Tuning tuning) {
      return group(tuning, tuning.rowGroup());
    }
  }

  /// A group takes a strip of columns, and all rows.
  record PerStrip() implements Geometry {
    /// A strip's vectors on a device that reads 128 bytes at a time.
    private static final int WIDE = 8;

    @Override
    public Map<String, Object> definitions(Tuning tuning) {
      Map<String, Object> out = group(tuning, tuning.rowGroup());
      out.put("STRIP", strip(tuning));
      return out;
    }

    private static int strip(Tuning tuning) {
      return Math.min(WIDE, tuning.rowGroup());
    }

    /// {@return enough groups}
    ///
    /// @param tuning of the device
    /// @param columns how many there are
    static Grid grid(Tuning tuning, int columns) {
      int each = strip(tuning) * tuning.vector();
      return Grid.of((columns + each - 1) / each, tuning.rowGroup());
    }
  }

  /// A group takes a tile of a matrix.
  record Tiled2D() implements Geometry {
    @Override
    public Map<String, Object> definitions(Tuning tuning) {
      Map<String, Object> out = tuning.matmul().definitions();
      out.put("TK", tuning.matmul().depth());
      out.put("VW", tuning.vector());
      return out;
    }
  }

  /// A group takes some rows of one head.
  record PerHeadTile() implements Geometry {
    @Override
    public Map<String, Object> definitions(Tuning tuning) {
      Map<String, Object> out = tuning.flash().definitions();
      out.put("VW", tuning.vector());
      return out;
    }
  }

  /// A group of a size that the kernel's text relies on, whatever the device likes.
  ///
  /// @param items of the group
  record Fixed(int items) implements Geometry {
    /// What every device takes.
    private static final int NARROW = 4;

    @Override
    public Map<String, Object> definitions(Tuning tuning) {
      return group(NARROW, items);
    }
  }

  private static Map<String, Object> group(Tuning tuning, int size) {
    return group(tuning.vector(), size);
  }

  private static Map<String, Object> group(int vector, int size) {
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("VW", vector);
    out.put("WG", size);
    return out;
  }
}
