package org.quern.kernels;

import java.util.List;
import java.util.Map;
import org.quern.core.DType;

/// The kernels that only CUDA has and that give a warp a row: which variant, and how it is
/// launched.
public final class CudaRows {
  /// Keys of a row that a warp has in registers: the smallest that holds the row is used.
  static final List<Integer> SOFTMAX_ROWS = List.of(128, 256, 512, 1024);

  /// Longer rows are for the portable kernels, which give a row to a group.
  public static final int LONGEST_SOFTMAX_ROW = 1024;

  private static final int GROUP = CudaAttention.GROUP;

  private CudaRows() {}

  /// {@return the variant of a masked softmax}
  ///
  /// @param spec [CudaCatalogue#MASKED_SOFTMAX_FORWARD_WARP] or its backward
  /// @param x the storage
  /// @param keys T, up to [#LONGEST_SOFTMAX_ROW]
  public static KernelVariant softmax(KernelSpec spec, DType x, int keys) {
    int row = SOFTMAX_ROWS.stream().filter(n -> n >= keys).findFirst().orElseThrow();
    return spec.variant(Tuning.gpu(), Map.of("X", x, "ROW", row));
  }

  /// {@return the launch of a masked softmax}
  ///
  /// @param rows B H S
  public static Grid softmaxGrid(long rows) {
    return warps(rows);
  }

  /// {@return as many groups as have that many warps}
  static Grid warps(long count) {
    int each = GROUP / CudaCatalogue.WARP;
    return Grid.of((count + each - 1) / each, GROUP);
  }
}
