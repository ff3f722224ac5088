package org.quern.opencl;

import org.quern.kernels.Accelerator;
import org.quern.kernels.KernelVariant;

/// A `cl_kernel` of one accelerator.
final class OpenClKernel implements Accelerator.Kernel {
  private final OpenClAccelerator owner;
  private final KernelVariant variant;
  private final int parameters;
  private long handle;

  OpenClKernel(OpenClAccelerator owner, KernelVariant variant, long handle, int parameters) {
    this.owner = owner;
    this.variant = variant;
    this.handle = handle;
    this.parameters = parameters;
  }

  @Override
  public KernelVariant variant() {
    return variant;
  }

  OpenClAccelerator owner() {
    return owner;
  }

  /// {@return how many parameters it declares}
  int parameters() {
    return parameters;
  }

  /// {@return the `cl_kernel`}
  ///
  /// @throws IllegalStateException if it is closed
  long handle() {
    if (handle == 0) {
      throw new IllegalStateException("kernel %s is closed".formatted(variant));
    }
    return handle;
  }

  @Override
  public void close() {
    if (handle != 0) {
      owner.release(this, handle);
      handle = 0;
    }
  }

  @Override
  public String toString() {
    return variant.toString();
  }
}
