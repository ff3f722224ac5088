package org.quern.kernels;

import static org.quern.core.DType.BF16;
import static org.quern.core.DType.F16;
import static org.quern.core.DType.F32;

import java.util.List;
import java.util.Map;
import org.quern.core.DType;

/// Every kernel that production launches. A test holds this list and the files of `portable` to a
/// bijection.
public final class Catalogue {
  private static final List<DType> REAL = List.of(F32, F16, BF16);
  private static final Map<String, List<DType>> X = Map.of("X", REAL);
  private static final Map<String, List<Integer>> NONE = Map.of();

  /// Rows of a softmax that stay in local memory: the smallest that holds the row is used.
  static final List<Integer> ROWS = List.of(256, 1024, 4096, 8192);

  /// Keys that [#ATTENTION_FORWARD_ROWS] weighs at a time.
  static final int KEYS_AT_A_TIME = 256;

  private static final Map<String, List<Integer>> HEAD_SIZE = Map.of("D", List.of(13, 64, 128));

  private static KernelSpec elements(
      String entry, Map<String, List<DType>> storages, Map<String, List<Integer>> options) {
    return new KernelSpec("portable", entry, new Geometry.PerElement(), storages, options);
  }

  private static KernelSpec rows(
      String entry, Map<String, List<DType>> storages, Map<String, List<Integer>> options) {
    return new KernelSpec("portable", entry, new Geometry.PerRow(), storages, options);
  }

  private static KernelSpec strips(String entry) {
    return new KernelSpec("portable", entry, new Geometry.PerStrip(), X, NONE);
  }

  private static KernelSpec heads(String entry) {
    return new KernelSpec("portable", entry, new Geometry.PerHeadTile(), X, HEAD_SIZE);
  }

  static final KernelSpec FILL = elements("fill", Map.of("Y", REAL), NONE);
  static final KernelSpec CONVERT = elements("convert", Map.of("X", REAL, "Y", REAL), NONE);
  static final KernelSpec ADD = elements("add", X, NONE);
  static final KernelSpec AXPY = elements("axpy", X, NONE);
  static final KernelSpec DROPOUT = elements("dropout", X, NONE);
  static final KernelSpec BIAS_ACTIVATION = elements("bias_activation", X, NONE);
  static final KernelSpec ACTIVATION_BACKWARD = elements("activation_backward", X, NONE);
  static final KernelSpec ADAM_W = elements("adam_w", Map.of(), NONE);
  static final KernelSpec SUM_OF_SQUARES = elements("sum_of_squares", X, NONE);
  static final KernelSpec SUM_PARTIALS = elements("sum_partials", Map.of(), NONE);
  static final KernelSpec QUANTIZE = elements("quantize", X, NONE);

  static final KernelSpec MATMUL =
      new KernelSpec(
          "portable",
          "matmul",
          new Geometry.Tiled2D(),
          Map.of("A", REAL, "B", REAL, "C", REAL),
          Map.of("TA", List.of(0, 1), "TB", List.of(0, 1)));
  static final KernelSpec MATMUL_ROWS =
      rows(
          "matmul_rows",
          Map.of("A", REAL, "B", REAL, "C", REAL),
          Map.of("MR", List.of(1, 4), "NR", List.of(4), "Q8", List.of(0)));
  static final KernelSpec MATMUL_ROWS_Q8 =
      rows(
          "matmul_rows",
          Map.of("A", REAL, "C", REAL),
          Map.of("MR", List.of(1, 4), "NR", List.of(4), "Q8", List.of(1)));

  static final KernelSpec SUM_ROWS = strips("sum_rows");
  static final KernelSpec LAYER_NORM_FORWARD =
      rows("layer_norm_forward", X, Map.of("RESIDUAL", List.of(0, 1)));
  static final KernelSpec LAYER_NORM_BACKWARD = rows("layer_norm_backward", X, NONE);
  static final KernelSpec LAYER_NORM_BACKWARD_COLUMNS = strips("layer_norm_backward_columns");

  static final KernelSpec SPLIT_HEADS_FORWARD = elements("split_heads_forward", X, NONE);
  static final KernelSpec SPLIT_HEADS_BACKWARD = elements("split_heads_backward", X, NONE);
  static final KernelSpec MERGE_HEADS_FORWARD = elements("merge_heads_forward", X, NONE);
  static final KernelSpec MERGE_HEADS_BACKWARD = elements("merge_heads_backward", X, NONE);

  static final KernelSpec MASKED_SOFTMAX_FORWARD =
      rows("masked_softmax_forward", X, Map.of("ROW", List.of(256)));
  static final KernelSpec MASKED_SOFTMAX_FORWARD_ONLINE =
      rows("masked_softmax_forward_online", X, NONE);
  static final KernelSpec MASKED_SOFTMAX_BACKWARD =
      rows("masked_softmax_backward", X, Map.of("ROW", List.of(0, 256)));

  static final KernelSpec ATTENTION_FORWARD_FLASH = heads("attention_forward_flash");
  static final KernelSpec ATTENTION_FORWARD_ROWS =
      rows(
          "attention_forward_rows",
          X,
          Map.of("D", List.of(13, 64, 128), "KT", List.of(KEYS_AT_A_TIME)));
  static final KernelSpec ATTENTION_BACKWARD_DOTS = elements("attention_backward_dots", X, NONE);
  static final KernelSpec ATTENTION_BACKWARD_QUERIES = heads("attention_backward_queries");
  static final KernelSpec ATTENTION_BACKWARD_KEYS = heads("attention_backward_keys");

  static final KernelSpec EMBED_FORWARD = elements("embed_forward", X, NONE);
  static final KernelSpec EMBED_BACKWARD_TOKENS = rows("embed_backward_tokens", X, NONE);
  static final KernelSpec EMBED_BACKWARD_POSITIONS = rows("embed_backward_positions", X, NONE);
  static final KernelSpec CROSS_ENTROPY = rows("cross_entropy", X, NONE);

  private static final List<KernelSpec> ALL =
      List.of(
          FILL,
          CONVERT,
          ADD,
          AXPY,
          DROPOUT,
          BIAS_ACTIVATION,
          ACTIVATION_BACKWARD,
          ADAM_W,
          SUM_OF_SQUARES,
          SUM_PARTIALS,
          QUANTIZE,
          MATMUL,
          MATMUL_ROWS,
          MATMUL_ROWS_Q8,
          SUM_ROWS,
          LAYER_NORM_FORWARD,
          LAYER_NORM_BACKWARD,
          LAYER_NORM_BACKWARD_COLUMNS,
          SPLIT_HEADS_FORWARD,
          SPLIT_HEADS_BACKWARD,
          MERGE_HEADS_FORWARD,
          MERGE_HEADS_BACKWARD,
          MASKED_SOFTMAX_FORWARD,
          MASKED_SOFTMAX_FORWARD_ONLINE,
          MASKED_SOFTMAX_BACKWARD,
          ATTENTION_FORWARD_FLASH,
          ATTENTION_FORWARD_ROWS,
          ATTENTION_BACKWARD_DOTS,
          ATTENTION_BACKWARD_QUERIES,
          ATTENTION_BACKWARD_KEYS,
          EMBED_FORWARD,
          EMBED_BACKWARD_TOKENS,
          EMBED_BACKWARD_POSITIONS,
          CROSS_ENTROPY);

  private Catalogue() {}

  /// {@return all kernels}
  public static List<KernelSpec> all() {
    return ALL;
  }
}
