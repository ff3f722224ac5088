package org.quern.cuda;

import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.Compositions;
import org.quern.core.DType;
import org.quern.core.MatmulDims;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.kernels.Cost;
import org.quern.kernels.CudaDeviceOps;
import org.quern.kernels.DeviceContext;

/// The operations of a CUDA device: products go to cuBLAS where it is there and takes them, all
/// else to our own kernels.
final class CudaOps extends CudaDeviceOps {
  private final CudaAccelerator accelerator;

  /// Works with an opened device.
  ///
  /// @param context of the backend
  /// @param accelerator the device
  /// @param tf32 whether F32 operands may be rounded to TF32
  CudaOps(DeviceContext context, CudaAccelerator accelerator, boolean tf32) {
    super(context, accelerator.features(tf32));
    this.accelerator = accelerator;
  }

  @Override
  public void matmul(Sink c, Tensor a, Trans ta, Tensor b, Trans tb, float alpha) {
    MatmulDims dims = MatmulDims.of(c.tensor().shape(), a.shape(), ta, b.shape(), tb);
    if (goesToCublas(dims, c.tensor(), a, ta, b, tb)) {
      multiply(dims, c, a, ta, b, tb, alpha);
    } else {
      super.matmul(c, a, ta, b, tb, alpha);
    }
  }

  @Override
  public void linear(Tensor y, Tensor h, Tensor x, Tensor w, @Nullable Tensor bias, Activation f) {
    MatmulDims dims = MatmulDims.of(y.shape(), x.shape(), Trans.N, w.shape(), Trans.T);
    if (goesToCublas(dims, h, x, Trans.N, w, Trans.T)) {
      Compositions.linear(this, y, h, x, w, bias, f);
    } else {
      super.linear(y, h, x, w, bias, f);
    }
  }

  /// cuBLAS wants operands of one storage, and gives the same or F32. A weight that is no memory of
  /// the device is for the kernels that know it.
  private boolean goesToCublas(MatmulDims dims, Tensor c, Tensor a, Trans ta, Tensor b, Trans tb) {
    DType storage = a.dtype();
    return accelerator.multiplies()
        && storage.real()
        && b.dtype() == storage
        && b.buffer() instanceof CudaBuffer
        && (c.dtype() == storage || c.dtype() == DType.F32)
        && dims.batch() <= Integer.MAX_VALUE
        && !ofFewRows(dims, ta, tb);
  }

  private void multiply(
      MatmulDims dims, Sink c, Tensor a, Trans ta, Tensor b, Trans tb, float alpha) {
    Command.Product product =
        new Command.Product(
            a.dtype(),
            c.tensor().dtype(),
            ta,
            tb,
            dims.m(),
            dims.n(),
            dims.k(),
            (int) dims.batch(),
            alpha,
            c.adds() ? 1 : 0,
            address(a),
            address(b),
            address(c.tensor()));
    Cost cost = Cost.of(dims.flops(), c.tensor(), a, b);
    queue("matmul (cuBLAS)", cost, timed -> accelerator.multiply(product, timed));
  }

  private long address(Tensor t) {
    return accelerator.address(t.buffer(), t.dtype().bytes(t.offset()), t.bytes());
  }
}
