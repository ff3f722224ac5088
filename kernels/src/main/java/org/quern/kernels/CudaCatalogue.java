package org.quern.kernels;

import static org.quern.core.DType.BF16;
import static org.quern.core.DType.F16;
import static org.quern.core.DType.F32;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.quern.core.DType;

/// Every kernel that production launches on CUDA alone, beside those of the [Catalogue]. A test
/// holds this list and the files of `cuda` to a bijection.
public final class CudaCatalogue {
  private static final List<DType> REAL = List.of(F32, F16, BF16);
  private static final Map<String, List<DType>> X = Map.of("X", REAL);

  /// Lanes of a warp.
  static final int WARP = 32;

  /// Attention, forward, on tensor cores.
  public static final KernelSpec ATTENTION_FORWARD_MMA = mma("attention_forward_mma", 1, 2);

  /// The gradient of attention's queries, on tensor cores.
  public static final KernelSpec ATTENTION_BACKWARD_MMA_QUERIES =
      mma("attention_backward_mma_queries", 2);

  /// The gradients of attention's keys and values, on tensor cores.
  public static final KernelSpec ATTENTION_BACKWARD_MMA_KEYS =
      mma("attention_backward_mma_keys", 2);

  /// Attention of a few queries, its keys shared by several groups.
  public static final KernelSpec ATTENTION_DECODE =
      fixed(
          "attention_decode",
          Map.of("D", List.of(16, 64, 80, 256), "R", CudaAttention.DECODED_AT_ONCE));

  /// Brings together what [#ATTENTION_DECODE] left.
  public static final KernelSpec ATTENTION_DECODE_COMBINE =
      fixed("attention_decode_combine", Map.of("D", List.of(16, 64, 80, 256)));

  /// Masked softmax, forward, of rows that a warp holds.
  public static final KernelSpec MASKED_SOFTMAX_FORWARD_WARP =
      fixed("masked_softmax_forward_warp", Map.of("ROW", CudaRows.SOFTMAX_ROWS));

  /// Masked softmax, backward, of rows that a warp holds.
  public static final KernelSpec MASKED_SOFTMAX_BACKWARD_WARP =
      fixed("masked_softmax_backward_warp", Map.of("ROW", CudaRows.SOFTMAX_ROWS));

  /// A matrix by a vector.
  public static final KernelSpec GEMV =
      gemv(Map.of("A", REAL, "B", REAL, "C", REAL), Map.of("Q8", List.of(0)));

  /// A quantized matrix by a vector.
  public static final KernelSpec GEMV_Q8 =
      gemv(Map.of("A", REAL, "C", REAL), Map.of("Q8", List.of(1)));

  private static final List<KernelSpec> ALL =
      List.of(
          ATTENTION_FORWARD_MMA,
          ATTENTION_BACKWARD_MMA_QUERIES,
          ATTENTION_BACKWARD_MMA_KEYS,
          ATTENTION_DECODE,
          ATTENTION_DECODE_COMBINE,
          MASKED_SOFTMAX_FORWARD_WARP,
          MASKED_SOFTMAX_BACKWARD_WARP,
          GEMV,
          GEMV_Q8);

  private CudaCatalogue() {}

  private static KernelSpec fixed(String entry, Map<String, List<Integer>> options) {
    return new KernelSpec("cuda", entry, new Geometry.Fixed(CudaAttention.GROUP), X, options);
  }

  private static KernelSpec gemv(
      Map<String, List<DType>> storages, Map<String, List<Integer>> quantized) {
    Map<String, List<Integer>> options = new HashMap<>(quantized);
    options.put("TEAM", CudaRows.TEAMS);
    return new KernelSpec(
        "cuda", "gemv", new Geometry.Fixed(CudaAttention.GROUP), storages, options);
  }

  private static KernelSpec mma(String entry, Integer... stages) {
    return fixed(
        entry,
        Map.of(
            "D", List.of(64, 128),
            "BM", List.of(64),
            "BN", List.of(32),
            "STAGES", List.of(stages),
            "RESIDENT", List.of(1)));
  }

  /// {@return all kernels}
  public static List<KernelSpec> all() {
    return ALL;
  }
}
