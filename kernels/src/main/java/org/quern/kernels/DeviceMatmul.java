package org.quern.kernels;

import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.DType;
import org.quern.core.MatmulDims;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// Matrix products: the tiled kernel, or for a few rows the one that reads the weights once.
final class DeviceMatmul {
  /// No bias, no activation.
  static final Epilogue PLAIN = new Epilogue(null, null, Activation.NONE);

  /// Up to so many rows are dot products with the rows of the weights: more would read them again.
  static final int FEW_ROWS = 8;

  /// Rows of a, and of b, that a group of `matmul_rows` multiplies.
  private static final int ROWS_OF_A = 4;

  private static final int ROWS_OF_B = 4;

  /// Numbers that share a scale in a quantized weight.
  private static final int BLOCK = 32;

  private final DeviceOps ops;

  DeviceMatmul(DeviceOps ops) {
    this.ops = ops;
  }

  /// What follows a product, in the same kernel.
  ///
  /// @param bias (N), F32, or null for none
  /// @param h takes the pre-activation, or null where nothing needs it
  /// @param f the activation
  record Epilogue(@Nullable Tensor bias, @Nullable Tensor h, Activation f) {}

  void linear(Tensor y, Tensor h, Tensor x, Tensor w, @Nullable Tensor bias, Activation f) {
    DeviceOps.requireF32("linear", bias);
    DeviceOps.requireReal("linear", x);
    DeviceOps.requireOneStorage("linear", y, h);
    MatmulDims dims = MatmulDims.of(y.shape(), x.shape(), Trans.N, w.shape(), Trans.T);
    Epilogue epilogue = new Epilogue(bias, h.equals(y) ? null : h, f);
    if (w.buffer() instanceof QuantizedWeight quantized) {
      quantized.requireWhole(w);
      few(dims, Sink.set(y), x, quantized.values(), quantized.scales(), 1, epilogue);
    } else {
      product(dims, Sink.set(y), x, Trans.N, w, Trans.T, 1, epilogue);
    }
  }

  void product(
      MatmulDims dims,
      Sink c,
      Tensor a,
      Trans ta,
      Tensor b,
      Trans tb,
      float alpha,
      Epilogue epilogue) {
    DeviceOps.requireReal("matmul", c.tensor());
    DeviceOps.requireReal("matmul", a);
    DeviceOps.requireReal("matmul", b);
    if (DeviceOps.ofFewRows(dims, ta, tb)) {
      few(dims, c, a, b, null, alpha, epilogue);
    } else {
      tiled(dims, c, a, ta, b, tb, alpha, epilogue);
    }
  }

  private void tiled(
      MatmulDims dims,
      Sink c,
      Tensor a,
      Trans ta,
      Tensor b,
      Trans tb,
      float alpha,
      Epilogue epilogue) {
    Tuning.Tile tile = ops.tuning().matmul();
    int height = tile.height();
    int width = tile.width(ops.tuning().vector());
    Grid grid =
        new Grid(
            (dims.n() + width - 1) / width,
            (dims.m() + height - 1) / height,
            Grid.clamp(dims.batch()),
            tile.group());
    Map<String, Object> chosen = storages(c.tensor(), a);
    chosen.put("B", b.dtype());
    chosen.put("TA", ta == Trans.T ? 1 : 0);
    chosen.put("TB", tb == Trans.T ? 1 : 0);
    Arguments arguments =
        new Arguments()
            .add(c.tensor())
            .add(epilogue.h() == null ? c.tensor() : epilogue.h())
            .add(a)
            .add(b)
            .add(biasOr(epilogue, a))
            .add(dims.m())
            .add(dims.n())
            .add(dims.k())
            .add(Math.toIntExact(dims.batch()));
    finish(arguments, c, alpha, epilogue);
    ops.launch(Catalogue.MATMUL, chosen, grid, arguments, Cost.of(dims.flops(), c.tensor(), a, b));
  }

  private void few(
      MatmulDims dims,
      Sink c,
      Tensor a,
      Tensor b,
      @Nullable Tensor scales,
      float alpha,
      Epilogue epilogue) {
    Dispatch dispatch = ops.vectorProduct(dims, c.tensor().dtype(), a, b, scales != null);
    if (dispatch == null) {
      dispatch = rows(dims, c, a, b, scales);
    }
    Arguments arguments =
        new Arguments()
            .add(c.tensor())
            .add(epilogue.h() == null ? c.tensor() : epilogue.h())
            .add(a)
            .add(b)
            .add(scales == null ? a : scales)
            .add(biasOr(epilogue, a))
            .add(dims.m())
            .add(dims.n())
            .add(dims.k())
            .add(blocks(dims.k()));
    finish(arguments, c, alpha, epilogue);
    ops.launch(
        dispatch.variant(), dispatch.grid(), arguments, Cost.of(dims.flops(), c.tensor(), a, b));
  }

  /// A kernel, and how it is launched.
  record Dispatch(KernelVariant variant, Grid grid) {}

  private Dispatch rows(MatmulDims dims, Sink c, Tensor a, Tensor b, @Nullable Tensor scales) {
    int rowsOfA = dims.m() == 1 ? 1 : ROWS_OF_A;
    Grid grid =
        new Grid(
            (dims.n() + ROWS_OF_B - 1) / ROWS_OF_B,
            (dims.m() + rowsOfA - 1) / rowsOfA,
            1,
            ops.tuning().rowGroup());
    Map<String, Object> chosen = storages(c.tensor(), a);
    chosen.put("MR", rowsOfA);
    chosen.put("NR", ROWS_OF_B);
    chosen.put("Q8", scales == null ? 0 : 1);
    if (scales == null) {
      chosen.put("B", b.dtype());
    }
    KernelSpec kernel = scales == null ? Catalogue.MATMUL_ROWS : Catalogue.MATMUL_ROWS_Q8;
    return new Dispatch(kernel.variant(ops.tuning(), chosen), grid);
  }

  private static Map<String, Object> storages(Tensor c, Tensor a) {
    Map<String, Object> chosen = new LinkedHashMap<>();
    chosen.put("A", a.dtype());
    chosen.put("C", c.dtype());
    return chosen;
  }

  /// {@return the bias, or any tensor where there is none: a kernel takes no null}
  private static Tensor biasOr(Epilogue epilogue, Tensor other) {
    return epilogue.bias() == null ? other : epilogue.bias();
  }

  private static void finish(Arguments arguments, Sink c, float alpha, Epilogue epilogue) {
    arguments
        .add(alpha)
        .add(DeviceOps.flag(c))
        .add(DeviceOps.flag(epilogue.bias() != null))
        .add(DeviceOps.number(epilogue.f()))
        .add(DeviceOps.flag(epilogue.h() != null));
  }

  private static int blocks(int width) {
    return (width + BLOCK - 1) / BLOCK;
  }

  /// {@return the weight in blocks of int8, which [#linear] takes}
  Tensor quantize(Tensor weight, Scope owner) {
    Map<String, Object> chosen = DeviceOps.storage("quantize", weight);
    int width = DeviceOps.width(weight);
    long rows = weight.shape().rows();
    int blocks = blocks(width);
    Tensor scales = owner.floats(rows, blocks);
    // Four int8 an element: there is no storage of that size to count with.
    Tensor values = owner.allocate(DType.I32, Shape.of(rows, blocks, BLOCK / Integer.BYTES));
    ops.launch(
        Catalogue.QUANTIZE,
        chosen,
        Geometry.PerElement.items(ops.tuning(), rows * blocks),
        new Arguments()
            .add(values)
            .add(scales)
            .add(weight)
            .add(rows * blocks)
            .add(width)
            .add(blocks),
        Cost.of(2.0 * weight.elements(), values, scales, weight));
    return new Tensor(
        new QuantizedWeight(weight.shape(), values, scales), DType.F32, weight.shape(), 0);
  }
}
