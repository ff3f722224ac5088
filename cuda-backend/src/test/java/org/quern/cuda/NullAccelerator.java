package org.quern.cuda;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.quern.core.Buffer;
import org.quern.core.DeviceInfo;
import org.quern.kernels.Accelerator;
import org.quern.kernels.Arguments;
import org.quern.kernels.DeviceLimits;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;

/// A device that does nothing: what operations launch on it, and at what cost, can be told without
/// waiting for the results.
final class NullAccelerator implements Accelerator {
  private static final long MEMORY = 1L << 40;

  private record Nothing(long bytes) implements Buffer {}

  private record Idle(KernelVariant variant) implements Kernel {
    @Override
    public void close() {}
  }

  @Override
  public DeviceInfo device() {
    return new DeviceInfo("cuda", 0, "nothing", MEMORY, Map.of());
  }

  @Override
  public DeviceLimits limits() {
    return new DeviceLimits(DeviceLimits.Kind.GPU, 108, 1024, 48 << 10, MEMORY, MEMORY, 1);
  }

  @Override
  public Buffer allocate(long bytes) {
    return new Nothing(bytes);
  }

  @Override
  public void free(Buffer buffer) {}

  @Override
  public void upload(Buffer target, long at, MemorySegment source) {}

  @Override
  public void download(MemorySegment target, Buffer source, long at) {
    target.fill((byte) 0);
  }

  @Override
  public void copy(Buffer target, long to, Buffer source, long from, long bytes) {}

  @Override
  public Kernel compile(KernelVariant variant) {
    return new Idle(variant);
  }

  @Override
  public void launch(Kernel kernel, Grid grid, Arguments arguments, @Nullable LongConsumer timed) {
    if (timed != null) {
      timed.accept(0);
    }
  }

  @Override
  public void synchronize() {}

  @Override
  public void close() {}
}
