package org.quern.kernels;

import java.util.List;
import java.util.Map;
import org.quern.core.DType;
import org.quern.core.Tensor;

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

  /// Warps that may share a row of a matrix.
  static final List<Integer> TEAMS = List.of(1, 4);

  /// Warps for each multiprocessor that hide the latency of memory.
  private static final int WARPS_PER_UNIT = 16;

  /// Bytes that a lane reads at once.
  static final int CHUNK = 16;

  /// {@return whether a tensor begins at whole 16 bytes}
  ///
  /// @param tensor in memory that does, as all memory of a device
  public static boolean aligned(Tensor tensor) {
    return tensor.offset() * tensor.dtype().bytes() % CHUNK == 0;
  }

  /// {@return whether `gemv` takes this}: one row, and a matrix that begins at whole 16 bytes and
  /// whose rows are such; rows of [QuantizedWeight] always are
  ///
  /// @param m rows of the result
  /// @param b the matrix, or the values of a quantized one
  /// @param rowBytes of the matrix
  public static boolean multiplies(int m, Tensor b, long rowBytes) {
    return m == 1 && aligned(b) && rowBytes % CHUNK == 0;
  }

  /// {@return how many warps shall share a row: several where rows are few and long}
  ///
  /// @param rows N
  /// @param rowBytes of the matrix
  /// @param units multiprocessors of the device
  public static int team(int rows, long rowBytes, int units) {
    int most = TEAMS.getLast();
    boolean few = rows < (long) units * WARPS_PER_UNIT;
    boolean wide = rowBytes >= (long) most * CudaCatalogue.WARP * CHUNK;
    return few && wide ? most : 1;
  }

  /// {@return the variant of `gemv` for weights that are not quantized}
  ///
  /// @param a the storage of the vector
  /// @param b of the matrix
  /// @param c of the result
  /// @param team warps that share a row
  public static KernelVariant gemv(DType a, DType b, DType c, int team) {
    return CudaCatalogue.GEMV.variant(
        Tuning.gpu(), Map.of("A", a, "B", b, "C", c, "Q8", 0, "TEAM", team));
  }

  /// {@return the variant of `gemv` for weights of [QuantizedWeight]}
  ///
  /// @param a the storage of the vector
  /// @param c of the result
  /// @param team warps that share a row
  public static KernelVariant gemvQuantized(DType a, DType c, int team) {
    return CudaCatalogue.GEMV_Q8.variant(
        Tuning.gpu(), Map.of("A", a, "C", c, "Q8", 1, "TEAM", team));
  }

  /// {@return the launch of `gemv`}
  ///
  /// @param rows N
  /// @param team of the variant
  public static Grid gemvGrid(int rows, int team) {
    return warps((long) rows * team);
  }

  /// {@return as many groups as have that many warps}
  static Grid warps(long count) {
    int each = GROUP / CudaCatalogue.WARP;
    return Grid.of((count + each - 1) / each, GROUP);
  }
}
