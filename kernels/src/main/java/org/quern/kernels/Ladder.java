package org.quern.kernels;

import java.util.List;
import java.util.Map;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.DeviceException;
import org.quern.core.Mask;
import org.quern.core.MatmulDims;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// The ladder: matrix products and attention in versions that each change one idea, to be read from
/// the first rung to the last, and measured beside what production runs. A test holds its list and
/// the files of `ladder` to a bijection.
///
/// F32 only; attention is causal, from position 0. Production never uses this class.
public final class Ladder {
  /// Items of a group where each has a column or a query of its own.
  private static final int LINE = 64;

  /// Items of a group that is a square of 16 x 16.
  private static final int SQUARE = 256;

  /// Keys that `attention_tiled_flash` has in local memory, and values.
  private static final int STAGED_KEYS = 16;

  private static final Map<String, List<Integer>> NONE = Map.of();
  private static final Map<String, List<Integer>> TRANSPOSED = Map.of("TB", List.of(0, 1));
  private static final Map<String, List<Integer>> HEAD_SIZE = Map.of("D", List.of(16, 64));

  private static KernelSpec spec(
      String entry, Geometry geometry, Map<String, List<Integer>> options) {
    return new KernelSpec("ladder", entry, geometry, Map.of(), options);
  }

  private static KernelSpec fixed(String entry, int items, Map<String, List<Integer>> options) {
    return spec(entry, new Geometry.Fixed(items), options);
  }

  private static final KernelSpec SCALE = spec("scale", new Geometry.PerElement(), NONE);
  private static final KernelSpec MASK = spec("mask", new Geometry.PerElement(), NONE);
  private static final KernelSpec SOFTMAX = spec("softmax", new Geometry.PerRow(), NONE);
  private static final KernelSpec MATMUL_NAIVE = fixed("matmul_naive", LINE, TRANSPOSED);
  private static final KernelSpec MATMUL_TILED = fixed("matmul_tiled", SQUARE, TRANSPOSED);
  private static final KernelSpec MATMUL_REGISTER_TILED =
      fixed("matmul_register_tiled", SQUARE, TRANSPOSED);
  private static final KernelSpec ATTENTION_LOOPS = fixed("attention_loops", LINE, HEAD_SIZE);
  private static final KernelSpec ATTENTION_TILED_FLASH =
      fixed("attention_tiled_flash", LINE, HEAD_SIZE);

  private static final List<KernelSpec> ALL =
      List.of(
          MATMUL_NAIVE,
          MATMUL_TILED,
          MATMUL_REGISTER_TILED,
          ATTENTION_LOOPS,
          SCALE,
          MASK,
          SOFTMAX,
          ATTENTION_TILED_FLASH);

  private Ladder() {}

  /// The rungs of matrix products.
  public enum MatmulRung {
    /// An item an element, straight from the definition.
    NAIVE(MATMUL_NAIVE, LINE, 1, LINE),
    /// 16 x 16 elements a group, which shares what it reads.
    TILED(MATMUL_TILED, SQUARE, 16, 16),
    /// 64 x 64 elements a group, 4 x 4 an item, in registers.
    REGISTER_TILED(MATMUL_REGISTER_TILED, SQUARE, 64, 64);

    private final KernelSpec kernel;
    private final int items;
    private final int rows;
    private final int columns;

    /// Names the kernel, its group and the group's tile.
    MatmulRung(KernelSpec kernel, int items, int rows, int columns) {
      this.kernel = kernel;
      this.items = items;
      this.rows = rows;
      this.columns = columns;
    }
  }

  /// The rungs of attention.
  public enum AttentionRung {
    /// An item a query and three loops; no matrix.
    LOOPS,
    /// The averaging trick: the whole square of scores, masked to a triangle, times the values.
    /// Product, scale, mask, softmax, product: five kernels, the products [MatmulRung#NAIVE].
    TRIANGULAR,
    /// The same with products [MatmulRung#TILED].
    TRIANGULAR_TILED,
    /// Scale, mask and softmax in one kernel, which is production's; the products
    /// [MatmulRung#REGISTER_TILED].
    MASKED_SOFTMAX,
    /// One kernel and no matrix: the online softmax over tiles of keys.
    TILED_FLASH
  }

  /// {@return all kernels of the ladder, from its first rung}
  public static List<KernelSpec> all() {
    return ALL;
  }

  /// `c = a b`, or `a b^T`.
  ///
  /// @param backend where
  /// @param rung how
  /// @param c (..., M, N), overwritten; none of the others
  /// @param a (..., M, K)
  /// @param b (..., K, N), or (..., N, K) if transposed
  /// @param tb whether b is transposed
  /// @throws IllegalArgumentException if the shapes do not fit together, a tensor is not F32, or
  ///   there are more products, or tiles along M, than [Grid#MOST_YZ]
  public static void matmul(
      DeviceBackend backend, MatmulRung rung, Tensor c, Tensor a, Tensor b, Trans tb) {
    DeviceOps.requireF32("matmul", c, a, b);
    MatmulDims dims = MatmulDims.of(c.shape(), a.shape(), Trans.N, b.shape(), tb);
    launch(
        backend.deviceOps(),
        rung.kernel,
        Map.of("TB", tb == Trans.T ? 1 : 0),
        new Grid(
            ceil(dims.n(), rung.columns),
            ceil(dims.m(), rung.rows),
            Math.toIntExact(dims.batch()),
            rung.items),
        new Arguments().add(c).add(a).add(b).add(dims.m()).add(dims.n()).add(dims.k()),
        Cost.of(dims.flops(), c, a, b));
  }

  /// `y = softmax(mask(scale x))`, causal, by three kernels, one after the other: what the fused
  /// [org.quern.core.Ops#maskedSoftmax] does in one.
  ///
  /// @param backend where
  /// @param y (..., T, T), overwritten; may be x
  /// @param x (..., T, T)
  /// @param scale of the scores
  /// @throws IllegalArgumentException if the shapes differ or are not square, or a tensor is not
  ///   F32
  public static void unfusedMaskedSoftmax(DeviceBackend backend, Tensor y, Tensor x, float scale) {
    DeviceOps.requireF32("unfusedMaskedSoftmax", y, x);
    if (!y.shape().equals(x.shape()) || x.shape().dim(-1) != x.shape().dim(-2)) {
      throw new IllegalArgumentException(
          "unfusedMaskedSoftmax: y %s and x %s must be the same, and square"
              .formatted(y.shape(), x.shape()));
    }
    DeviceOps ops = backend.deviceOps();
    int t = DeviceOps.width(x);
    long rows = x.shape().rows();
    int chunks = ops.chunks(t);
    ops.launch(
        SCALE,
        Map.of(),
        Geometry.PerElement.grid(ops.tuning(), x.elements()),
        new Arguments().add(y).add(x).add(x.elements()).add(scale),
        Cost.of(x.elements(), y, x));
    ops.launch(
        MASK,
        Map.of(),
        Geometry.PerElement.items(ops.tuning(), rows * chunks),
        new Arguments().add(y).add(rows * chunks).add(t).add(chunks),
        Cost.of(0, y));
    ops.launch(
        SOFTMAX,
        Map.of(),
        ops.rowGroups(rows),
        new Arguments().add(y).add(y).add(t),
        Cost.of(4.0 * y.elements(), y, y));
  }

  /// `y = softmax(mask(scale q k^T)) v`, causal.
  ///
  /// @param backend where
  /// @param rung how
  /// @param y (B, H, T, D), overwritten; none of the others
  /// @param q (B, H, T, D)
  /// @param k (B, H, T, D)
  /// @param v (B, H, T, D)
  /// @param scale of the scores, usually `1 / sqrt(D)`
  /// @param scratch for the matrix of the rungs that have one
  /// @throws IllegalArgumentException if the shapes differ, a tensor is not F32, or there are more
  ///   heads, or queries, than [Grid#MOST_YZ]
  /// @throws DeviceException if a head does not fit the device
  public static void attention(
      DeviceBackend backend,
      AttentionRung rung,
      Tensor y,
      Tensor q,
      Tensor k,
      Tensor v,
      float scale,
      Scope scratch) {
    DeviceOps.requireF32("attention", y, q, k, v);
    for (Tensor t : List.of(q, k, v)) {
      if (t.shape().rank() != 4 || !t.shape().equals(y.shape())) {
        throw new IllegalArgumentException(
            "attention: all must be (B, H, T, D), found y %s and %s"
                .formatted(y.shape(), t.shape()));
      }
    }
    switch (rung) {
      case LOOPS -> oneKernel(backend, ATTENTION_LOOPS, y, q, k, v, scale);
      case TILED_FLASH -> {
        requireLocal(backend, 2L * STAGED_KEYS * q.shape().dim(3) * Float.BYTES);
        oneKernel(backend, ATTENTION_TILED_FLASH, y, q, k, v, scale);
      }
      case TRIANGULAR -> triangular(backend, MatmulRung.NAIVE, rung, y, q, k, v, scale, scratch);
      case TRIANGULAR_TILED ->
          triangular(backend, MatmulRung.TILED, rung, y, q, k, v, scale, scratch);
      case MASKED_SOFTMAX ->
          triangular(backend, MatmulRung.REGISTER_TILED, rung, y, q, k, v, scale, scratch);
    }
  }

  private static void oneKernel(
      DeviceBackend backend,
      KernelSpec kernel,
      Tensor y,
      Tensor q,
      Tensor k,
      Tensor v,
      float scale) {
    int t = q.shape().intDim(2);
    int slices = Math.toIntExact(q.shape().dim(0) * q.shape().dim(1));
    launch(
        backend.deviceOps(),
        kernel,
        Map.of("D", DeviceOps.width(q)),
        new Grid(ceil(t, LINE), slices, 1, LINE),
        new Arguments().add(y).add(q).add(k).add(v).add(t).add(scale),
        Cost.of(2.0 * q.elements() * t, y, q, k, v));
  }

  private static void triangular(
      DeviceBackend backend,
      MatmulRung products,
      AttentionRung rung,
      Tensor y,
      Tensor q,
      Tensor k,
      Tensor v,
      float scale,
      Scope scratch) {
    long texts = q.shape().dim(0);
    Tensor p = scratch.allocate(DType.F32, q.shape().withLast(q.shape().dim(2))); // (B, H, T, T)
    matmul(backend, products, p, q, k, Trans.T);
    if (rung == AttentionRung.MASKED_SOFTMAX) {
      Tensor lse = scratch.floats(texts, q.shape().dim(1), q.shape().dim(2));
      Tensor positions = scratch.allocate(DType.I32, Shape.of(texts));
      backend.upload(positions, new int[Math.toIntExact(texts)]);
      AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, scale);
      backend.ops().maskedSoftmax(p, lse, p, spec, positions);
      scratch.release(positions);
      scratch.release(lse);
    } else {
      unfusedMaskedSoftmax(backend, p, p, scale);
    }
    matmul(backend, products, y, p, v, Trans.N);
    scratch.release(p);
  }

  private static void launch(
      DeviceOps ops,
      KernelSpec kernel,
      Map<String, ?> chosen,
      Grid grid,
      Arguments arguments,
      Cost cost) {
    int most = ops.limits().groupSize();
    if (grid.groupSize() > most) {
      throw new DeviceException(
          "the ladder's %s has groups of %d items, and this device takes %d"
              .formatted(kernel.entry(), grid.groupSize(), most),
          null);
    }
    ops.launch(kernel, chosen, grid, arguments, cost);
  }

  private static void requireLocal(DeviceBackend backend, long bytes) {
    long most = backend.deviceOps().limits().localBytes();
    if (bytes > most) {
      throw new DeviceException(
          "the ladder's flash needs %d bytes of local memory at this head size, and this device has %d"
              .formatted(bytes, most),
          null);
    }
  }

  private static int ceil(int n, int each) {
    return (n + each - 1) / each;
  }
}
