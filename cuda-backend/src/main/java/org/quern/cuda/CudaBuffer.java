package org.quern.cuda;

import org.quern.core.Buffer;

/// Device memory of one accelerator.
final class CudaBuffer implements Buffer {
  private final CudaAccelerator owner;
  private final long bytes;
  private long address;

  CudaBuffer(CudaAccelerator owner, long address, long bytes) {
    this.owner = owner;
    this.address = address;
    this.bytes = bytes;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  CudaAccelerator owner() {
    return owner;
  }

  /// {@return where it begins}
  ///
  /// @throws IllegalStateException if it was freed
  long address() {
    if (address == 0) {
      throw new IllegalStateException("a buffer of %d bytes is used after free".formatted(bytes));
    }
    return address;
  }

  /// {@return where a part begins}
  ///
  /// @param at its first byte
  /// @param size how many bytes it has
  /// @throws IllegalArgumentException if it does not lie within: the driver may not notice, since
  ///   what is beside it may be memory of ours too
  /// @throws IllegalStateException if the buffer was freed
  long address(long at, long size) {
    if (at < 0 || size < 0 || at > bytes - size) {
      throw new IllegalArgumentException(
          "%d bytes from %d on are not within a buffer of %d bytes".formatted(size, at, bytes));
    }
    return address() + at;
  }

  /// {@return where it began; it is freed from now on}
  long take() {
    long taken = address();
    address = 0;
    return taken;
  }

  @Override
  public String toString() {
    return "CudaBuffer[%d bytes%s]".formatted(bytes, address == 0 ? ", freed" : "");
  }
}
