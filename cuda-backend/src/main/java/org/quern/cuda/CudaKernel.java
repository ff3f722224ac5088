package org.quern.cuda;

import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;
import org.quern.cuda.Resources.Kind;
import org.quern.kernels.Accelerator;
import org.quern.kernels.KernelVariant;

/// A kernel of one accelerator: a module with one function.
final class CudaKernel implements Accelerator.Kernel {
  /// In place of a number of parameters.
  static final int UNKNOWN = -1;

  private final CudaAccelerator owner;
  private final KernelVariant variant;
  private final CUmodule module;
  private final CUfunction function;
  private final int parameters;
  private int dynamicLocalBytes;
  private boolean closed;

  /// Over a module.
  ///
  /// @param owner where it runs
  /// @param variant what it was made of
  /// @param module the module, taken over
  /// @param function its function, which may be looked up later
  /// @param parameters how many it declares; [#UNKNOWN] if nobody knows
  CudaKernel(
      CudaAccelerator owner,
      KernelVariant variant,
      CUmodule module,
      CUfunction function,
      int parameters) {
    this.owner = owner;
    this.variant = variant;
    this.module = module;
    this.function = function;
    this.parameters = parameters;
  }

  @Override
  public KernelVariant variant() {
    return variant;
  }

  CudaAccelerator owner() {
    return owner;
  }

  /// {@return whether it declares so many parameters, as far as is known: the driver would read
  /// what is missing from anywhere}
  ///
  /// @param arguments how many it is given
  boolean takes(int arguments) {
    return parameters == UNKNOWN || parameters == arguments;
  }

  /// {@return how many parameters it declares, or [#UNKNOWN]}
  int parameters() {
    return parameters;
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
