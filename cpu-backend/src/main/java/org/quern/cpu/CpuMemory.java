package org.quern.cpu;

import org.jspecify.annotations.Nullable;
import org.quern.core.Buffer;
import org.quern.core.BufferAllocator;

/// Memory for the pool.
final class CpuMemory implements BufferAllocator {
  private static final byte POISON = (byte) 0xFF;

  @Override
  public @Nullable Buffer allocate(long bytes) {
    try {
      return CpuBuffer.allocate(bytes);
    } catch (OutOfMemoryError e) {
      return null; // the pool gives back what it keeps, and says what to change if that is not
      // enough
    }
  }

  @Override
  public void free(Buffer buffer) {
    ((CpuBuffer) buffer).free();
  }

  @Override
  public void poison(Buffer buffer) {
    ((CpuBuffer) buffer).segment().fill(POISON);
  }
}
