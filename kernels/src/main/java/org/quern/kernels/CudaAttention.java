package org.quern.kernels;

import java.util.LinkedHashMap;
import java.util.List;
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

  /// Shared memory from which on a device is roomy: 8.0, 9.0 and 10.0 have more, 8.6, 8.9 and 12.0
  /// less.
  static final int ROOMY = 160 << 10;

  /// {@return how a kernel on tensor cores divides its work: as many rows and columns as the
  /// registers of a thread hold without spilling, with two blocks or more on a multiprocessor}
  ///
  /// @param spec one of [CudaCatalogue]
  /// @param x the storage
  /// @param size D, 64 or 128
  /// @param dynamicLocalBytes shared memory that a block may have where it asks for it
  public static MmaTile tile(KernelSpec spec, DType x, int size, int dynamicLocalBytes) {
    boolean roomy = dynamicLocalBytes >= ROOMY;
    boolean small = size * x.bytes() == 128; // bytes of a row: 16 bit and D 64
    boolean largest = size * x.bytes() == 512; // F32 and D 128
    return switch (spec.entry()) {
      case "attention_forward_mma" -> {
        if (small) {
          yield new MmaTile(128, 64, 2, 1);
        }
        yield new MmaTile(largest ? 64 : 128, 32, roomy ? 2 : 1, 1);
      }
      case "attention_backward_mma_queries" ->
          small ? new MmaTile(128, 32, 2, 1) : new MmaTile(64, roomy && !largest ? 32 : 16, 2, 1);
      case "attention_backward_mma_keys" ->
          small ? new MmaTile(64, 64, 2, 1) : new MmaTile(64, roomy && !largest ? 32 : 16, 2, 1);
      default -> throw new IllegalArgumentException(spec.entry() + " has no tile");
    };
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

  /// Queries that a variant of `attention_decode` holds: as many as needed, rounded up to one of
  /// these.
  static final List<Integer> DECODED_AT_ONCE = List.of(1, 4);

  /// Keys that are worth a block of their own.
  private static final int KEYS_OF_A_SHARE = 64;

  /// More shares cost more to bring together than they gain.
  private static final int MOST_SPLITS = 64;

  /// Blocks for each multiprocessor that hide the latency of memory.
  private static final int BLOCKS_PER_UNIT = 4;

  /// {@return the variant of `attention_decode`}
  ///
  /// @param x the storage
  /// @param size D, up to 256, whole 16 bytes
  /// @param queries S, up to 4
  public static KernelVariant decode(DType x, int size, int queries) {
    int held = DECODED_AT_ONCE.stream().filter(n -> n >= queries).findFirst().orElseThrow();
    return CudaCatalogue.ATTENTION_DECODE.variant(
        Tuning.gpu(), Map.of("X", x, "D", size, "R", held));
  }

  /// {@return the variant of `attention_decode_combine`}
  ///
  /// @param x the storage
  /// @param size D
  public static KernelVariant combine(DType x, int size) {
    return CudaCatalogue.ATTENTION_DECODE_COMBINE.variant(Tuning.gpu(), Map.of("X", x, "D", size));
  }

  /// {@return in how many shares to decode: enough blocks for the device, none with little to do}
  ///
  /// @param slices B H
  /// @param keys T
  /// @param units multiprocessors of the device
  public static int splits(long slices, int keys, int units) {
    long wanted = ((long) units * BLOCKS_PER_UNIT + slices - 1) / slices;
    int most = Math.min(MOST_SPLITS, (keys + KEYS_OF_A_SHARE - 1) / KEYS_OF_A_SHARE);
    return Math.clamp(wanted, 1, Math.max(1, most));
  }

  /// {@return the launch of `attention_decode`}
  ///
  /// @param slices B H
  /// @param splits shares of the keys
  public static Grid decodeGrid(long slices, int splits) {
    return Grid.of(slices * splits, GROUP);
  }

  /// {@return the launch of `attention_decode_combine`}
  ///
  /// @param rows B H S
  public static Grid combineGrid(long rows) {
    return CudaRows.warps(rows);
  }

  private static Grid tiles(MmaTile tile, long slices, int rows) {
    return Grid.of(slices * ((rows + tile.rows() - 1) / tile.rows()), GROUP);
  }
}
