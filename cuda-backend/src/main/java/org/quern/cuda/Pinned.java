package org.quern.cuda;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;
import org.quern.cuda.Resources.Kind;

/// Memory of the host that the device reads and writes by itself, beside what it computes.
final class Pinned implements AutoCloseable {
  private final CommandStream stream;
  private final Pointer pointer = new Pointer();
  private final MemorySegment segment;

  /// Pins new memory.
  ///
  /// @param stream counts it
  /// @param bytes positive
  Pinned(CommandStream stream, int bytes) {
    this.stream = stream;
    int code = JCudaDriver.cuMemHostAlloc(pointer, bytes, 0);
    if (code != 0) {
      throw stream.failure(code, "cuMemHostAlloc", "%d bytes".formatted(bytes));
    }
    stream.resources().made(Kind.PINNED);
    segment = MemorySegment.ofBuffer(pointer.getByteBuffer(0, bytes));
  }

  /// {@return the memory}
  MemorySegment segment() {
    return segment;
  }

  /// Queues a copy to the device.
  ///
  /// @param target a device address
  /// @param at the first byte of this to copy
  /// @param bytes how many
  void upload(long target, long at, long bytes) {
    stream.check(
        JCudaDriver.cuMemcpyHtoDAsync(
            Address.of(target), pointer.withByteOffset(at), bytes, stream.handle()),
        "cuMemcpyHtoDAsync");
  }

  /// Queues a copy from the device.
  ///
  /// @param at the first byte of this to write
  /// @param source a device address
  /// @param bytes how many
  void download(long at, long source, long bytes) {
    stream.check(
        JCudaDriver.cuMemcpyDtoHAsync(
            pointer.withByteOffset(at), Address.of(source), bytes, stream.handle()),
        "cuMemcpyDtoHAsync");
  }

  /// Gives the memory back, which nothing may use any more.
  @Override
  public void close() {
    int ignored = JCudaDriver.cuMemFreeHost(pointer);
    stream.resources().released(Kind.PINNED);
  }
}
