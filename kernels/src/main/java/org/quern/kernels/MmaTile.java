package org.quern.kernels;

import java.util.LinkedHashMap;
import java.util.Map;

/// The tile of an attention kernel on tensor cores. A block keeps some rows of one side and walks
/// along tiles of the other.
///
/// @param rows of the side that stays: queries, or keys in the kernel for their gradients (BM)
/// @param columns of the side that comes by, a tile at a time (BN)
/// @param stages tiles in shared memory, of each tensor that comes by: 1 or 2
/// @param resident blocks that a multiprocessor shall take at once, which bounds their registers
public record MmaTile(int rows, int columns, int stages, int resident) {
  /// Checks the numbers.
  ///
  /// @throws IllegalArgumentException if a kernel cannot be compiled with them
  public MmaTile {
    boolean whole = rows % 64 == 0 && columns % 16 == 0 && rows > 0 && columns > 0 && columns <= 64;
    if (!whole || stages < 1 || stages > 2 || resident < 1) {
      throw new IllegalArgumentException(
          "no kernel has tiles of %d rows, %d columns in %d stages, %d blocks"
              .formatted(rows, columns, stages, resident));
    }
  }

  /// {@return the definitions that a kernel takes}
  Map<String, Object> definitions() {
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("BM", rows);
    out.put("BN", columns);
    out.put("STAGES", stages);
    out.put("RESIDENT", resident);
    return out;
  }
}
