package org.quern.opencl;

import org.quern.core.Buffer;

/// A `cl_mem` of one accelerator.
final class OpenClBuffer implements Buffer {
  private final OpenClAccelerator owner;
  private final long bytes;
  private long handle;

  OpenClBuffer(OpenClAccelerator owner, long handle, long bytes) {
    this.owner = owner;
    this.handle = handle;
    this.bytes = bytes;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  OpenClAccelerator owner() {
    return owner;
  }

  /// {@return the `cl_mem`}
  ///
  /// @throws IllegalStateException if it was freed
  long handle() {
    if (handle == 0) {
      throw new IllegalStateException("a buffer of %d bytes is used after free".formatted(bytes));
    }
    return handle;
  }

  /// {@return the `cl_mem`, which this buffer gives up}
  long take() {
    long h = handle();
    handle = 0;
    return h;
  }

  @Override
  public String toString() {
    return "OpenClBuffer[%d bytes%s]".formatted(bytes, handle == 0 ? ", freed" : "");
  }
}
