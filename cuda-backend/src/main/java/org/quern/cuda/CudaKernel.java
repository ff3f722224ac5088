package org.quern.cuda;

import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;
import org.quern.cuda.Resources.Kind;
import org.quern.kernels.Accelerator;
import org.quern.kernels.KernelVariant;

/// A kernel of one accelerator: a module with one function.
final class CudaKernel implements Accelerator.Kernel {
  private final CudaAccelerator owner;
  private final KernelVariant variant;
  private final CUmodule module;
  private final CUfunction function;
  private int dynamicLocalBytes;
  private boolean closed;

  CudaKernel(CudaAccelerator owner, KernelVariant variant, CUmodule module, CUfunction function) {
    this.owner = owner;
    this.variant = variant;
    this.module = module;
    this.function = function;
  }

  @Override
  public KernelVariant variant() {
    return variant;
  }

  CudaAccelerator owner() {
    return owner;
  }

  /// {@return the function}
  ///
  /// @throws IllegalStateException if this is closed
  CUfunction function() {
    if (closed) {
      throw new IllegalStateException("kernel %s is closed".formatted(variant));
    }
    return function;
  }

  /// {@return how much dynamic shared memory a launch may ask for, as far as was told to the
  /// driver}
  int dynamicLocalBytes() {
    return dynamicLocalBytes;
  }

  /// Notes what was told to the driver.
  void setDynamicLocalBytes(int bytes) {
    dynamicLocalBytes = bytes;
  }

  @Override
  public void close() {
    if (!closed) {
      owner.release(this);
    }
  }

  /// Gives the module back.
  void unload(CommandStream stream) {
    closed = true;
    int ignored = JCudaDriver.cuModuleUnload(module);
    stream.resources().released(Kind.MODULE);
  }

  @Override
  public String toString() {
    return variant.toString();
  }
}
