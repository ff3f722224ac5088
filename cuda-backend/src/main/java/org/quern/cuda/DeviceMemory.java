package org.quern.cuda;

import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.quern.cuda.Resources.Kind;

/// A device's memory. Where the driver can, it is given out and taken back in the order of the
/// stream, without waiting; the driver then keeps what is free until the stream is waited for, as
/// its pools do by default. What is worth keeping longer is kept by the pool of the backend.
final class DeviceMemory {
  private final CommandStream stream;
  private final boolean ordered;

  DeviceMemory(CommandStream stream) {
    this.stream = stream;
    ordered = stream.device().memory() == CudaDevice.Memory.STREAM_ORDERED;
  }

  /// {@return the address of new memory; 0 if the device has none left}
  ///
  /// @param bytes positive
  long allocate(long bytes) {
    Address address = new Address();
    int code =
        ordered
            ? JCudaDriver.cuMemAllocAsync(address, bytes, stream.handle())
            : JCudaDriver.cuMemAlloc(address, bytes);
    if (code == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
      return 0;
    }
    if (code != CUresult.CUDA_SUCCESS) {
      throw stream.failure(
          code, ordered ? "cuMemAllocAsync" : "cuMemAlloc", "%d bytes".formatted(bytes));
    }
    stream.resources().made(Kind.MEMORY);
    return address.value();
  }

  /// Gives memory back. Work that was queued before may still use it.
  ///
  /// @param address from [#allocate]
  void free(long address) {
    stream.resources().released(Kind.MEMORY); // also where the driver does not want it
    if (ordered) {
      stream.check(
          JCudaDriver.cuMemFreeAsync(Address.of(address), stream.handle()), "cuMemFreeAsync");
    } else {
      stream.synchronize();
      stream.check(JCudaDriver.cuMemFree(Address.of(address)), "cuMemFree");
    }
  }
}
