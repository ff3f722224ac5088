package org.quern.kernels;

import java.util.LinkedHashMap;
import java.util.Map;
import org.quern.core.DType;

/// The attention kernels that only CUDA has: which variant, and how it is launched. The arguments
/// are those of the portable kernels that they stand in for.
public final class CudaAttention {
  /// Items of a group in all of these kernels.
  static final int GROUP = 128;

  private CudaAttention() {}

  /// {@return a variant of a kernel on tensor cores}
  ///
  /// @param spec one of [CudaCatalogue]
  /// @param x the storage
  /// @param size D, 64 or 128
  /// @param tile how the work is divided
  public static KernelVariant variant(KernelSpec spec, DType x, int size, MmaTile tile) {
    Map<String, Object> chosen = new LinkedHashMap<>(tile.definitions());
    chosen.put("X", x);
    chosen.put("D", size);
    return spec.variant(Tuning.gpu(), chosen);
  }

  /// {@return the launch of `attention_forward_mma`}
  ///
  /// @param x the storage
  /// @param size D
  /// @param tile of the variant
  /// @param slices B H
  /// @param queries S
  public static Grid forwardGrid(DType x, int size, MmaTile tile, long slices, int queries) {
    int rows = tile.rows() + 2 * tile.stages() * tile.columns();
    return tiles(tile, slices, queries).withDynamicLocal(rows * size * x.bytes());
  }

  /// {@return the launch of `attention_backward_mma_queries`}
  ///
  /// @param x the storage
  /// @param size D
  /// @param tile of the variant
  /// @param slices B H
  /// @param queries S
  public static Grid queriesGrid(DType x, int size, MmaTile tile, long slices, int queries) {
    return tiles(tile, slices, queries).withDynamicLocal(backwardBytes(x, size, tile));
  }

  /// {@return the launch of `attention_backward_mma_keys`}
  ///
  /// @param x the storage
  /// @param size D
  /// @param tile of the variant
  /// @param slices B H
  /// @param keys T
  public static Grid keysGrid(DType x, int size, MmaTile tile, long slices, int keys) {
    int rowValues = 2 * tile.stages() * tile.columns() * Float.BYTES; // lse and delta
    return tiles(tile, slices, keys).withDynamicLocal(backwardBytes(x, size, tile) + rowValues);
  }

  /// Two tensors stay, two come by.
  private static int backwardBytes(DType x, int size, MmaTile tile) {
    return 2 * (tile.rows() + tile.stages() * tile.columns()) * size * x.bytes();
  }

  private static Grid tiles(MmaTile tile, long slices, int rows) {
    return Grid.of(slices * ((rows + tile.rows() - 1) / tile.rows()), GROUP);
  }
}
