package org.quern.kernels;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.quern.core.DType;
import org.quern.core.Tensor;

/// The attention kernels that only CUDA has: which variant, and how it is launched. The arguments
/// are those of the portable kernels that they stand in for.
public final class CudaAttention {
  /// Items of a group in all of these kernels.
  static final int GROUP = 128;

  private CudaAttention() {}

  /// Head sizes that the kernels on tensor cores are made for.
  public static final List<Integer> MMA_SIZES = List.of(64, 128);

  /// The first compute capability whose tensor cores take bf16 and TF32, and that copies to shared
  /// memory beside the arithmetic.
  public static final int MMA_CAPABILITY = 80;

  /// Devices whose multiprocessors have 164 KiB of shared memory or more, which are those for data
  /// centres; others have 100 (CUDA programming guide, "Compute Capabilities").
  private static final Set<Integer> ROOMY = Set.of(80, 87, 90, 100, 103, 110);

  /// {@return whether the kernels on tensor cores take this}: the device has them, the head has one
  /// of the sizes, the scale is positive, and tensors begin at whole 16 bytes
  ///
  /// @param capability of the device, such as 86 for 8.6
  /// @param size D
  /// @param scale of the scores
  /// @param tensors y, q, k, v, or the gradients' too
  public static boolean takes(int capability, int size, float scale, Tensor... tensors) {
    return capability >= MMA_CAPABILITY
        && MMA_SIZES.contains(size)
        && scale > 0
        && aligned(tensors);
  }

  /// {@return whether `attention_decode` takes this}: few queries, a head that is not too large and
  /// whose rows are whole 16 bytes, and tensors that begin at such
  ///
  /// @param queries S
  /// @param q (B, H, S, D)
  /// @param tensors k, v
  public static boolean decodes(int queries, Tensor q, Tensor... tensors) {
    int size = q.shape().intDim(q.shape().rank() - 1);
    return queries <= DECODED_AT_ONCE.getLast()
        && size <= LARGEST_DECODED_HEAD
        && size * q.dtype().bytes() % CudaRows.CHUNK == 0
        && aligned(q)
        && aligned(tensors);
  }

  private static boolean aligned(Tensor... tensors) {
    return Arrays.stream(tensors).allMatch(CudaRows::aligned);
  }

  /// {@return the tile of `attention_forward_mma`}: 128 queries, so that each key and value is read
  /// from shared memory half as often, where there are blocks enough for all multiprocessors; else
  /// 64
  ///
  /// @param x the storage
  /// @param size D
  /// @param slices B H
  /// @param queries S
  /// @param capability of the device, such as 86 for 8.6
  /// @param units its multiprocessors
  public static MmaTile forwardTile(
      DType x, int size, long slices, int queries, int capability, int units) {
    long tallBlocks = slices * ((queries + 127) / 128);
    boolean tall = x != DType.F32 && tallBlocks >= 2L * units;
    return forwardTile(x, size, tall, ROOMY.contains(capability));
  }

  /// As many columns as let a multiprocessor have two or three blocks.
  static MmaTile forwardTile(DType x, int size, boolean tall, boolean roomy) {
    int stages = roomy ? 2 : 1;
    if (x == DType.F32) {
      return size == 64 ? new MmaTile(64, 32, stages, 3) : new MmaTile(64, 16, stages, 2);
    }
    return tall
        ? new MmaTile(128, size == 64 ? 64 : 32, stages, 2)
        : new MmaTile(64, 64, stages, size == 64 ? 3 : 2);
  }

  /// {@return whether the kernels for gradients take this besides}: all but heads of 128 in F32,
  /// for which the assembler of CUDA 12.0 runs out of registers on 8.6 and 8.9
  ///
  /// @param x the storage
  /// @param size D
  public static boolean takesBackward(DType x, int size) {
    return x != DType.F32 || size < 128;
  }

  /// {@return the tile of both kernels for gradients}
  ///
  /// @param x the storage
  /// @param size D
  /// @param capability of the device, such as 86 for 8.6
  public static MmaTile backwardTile(DType x, int size, int capability) {
    return backwardTile(x, size, ROOMY.contains(capability));
  }

  /// As many columns as let a multiprocessor have two blocks; one, for heads of 128 in F32.
  static MmaTile backwardTile(DType x, int size, boolean roomy) {
    int columns =
        switch (size * x.bytes()) {
          case 128 -> 64;
          case 256 -> roomy ? 32 : 16;
          default -> 16;
        };
    return new MmaTile(64, columns, 2, size * x.bytes() == 512 ? 1 : 2);
  }

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

  /// The largest head that `attention_decode` takes.
  public static final int LARGEST_DECODED_HEAD = 256;

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
