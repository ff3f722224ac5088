package org.quern.opencl;

import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.quern.core.Buffer;
import org.quern.core.DeviceInfo;
import org.quern.kernels.Accelerator;
import org.quern.kernels.Arguments;
import org.quern.kernels.DeviceLimits;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;

/// A device that says it can take less than it can, and refuses more: for what large devices never
/// need, smaller tiles, online softmax, compositions.
///
/// @param whole the device
/// @param limits what it admits
record SmallDevice(Accelerator whole, DeviceLimits limits) implements Accelerator {
  /// {@return the device with that little local memory and that small groups}
  static SmallDevice of(Accelerator whole, long localBytes, int groupSize, long bufferBytes) {
    DeviceLimits l = whole.limits();
    return new SmallDevice(
        whole,
        new DeviceLimits(
            l.kind(),
            l.units(),
            groupSize,
            localBytes,
            bufferBytes,
            l.memoryBytes(),
            l.vectorWidth()));
  }

  @Override
  public DeviceInfo device() {
    return whole.device();
  }

  @Override
  public @Nullable Buffer allocate(long bytes) {
    return whole.allocate(bytes);
  }

  @Override
  public void free(Buffer buffer) {
    whole.free(buffer);
  }

  @Override
  public void upload(Buffer target, long at, MemorySegment source) {
    whole.upload(target, at, source);
  }

  @Override
  public void download(MemorySegment target, Buffer source, long at) {
    whole.download(target, source, at);
  }

  @Override
  public void copy(Buffer target, long to, Buffer source, long from, long bytes) {
    whole.copy(target, to, source, from, bytes);
  }

  @Override
  public Kernel compile(KernelVariant variant) {
    return whole.compile(variant);
  }

  @Override
  public void launch(Kernel kernel, Grid grid, Arguments arguments, @Nullable LongConsumer timed) {
    if (grid.groupSize() > limits.groupSize()) {
      throw new AssertionError(kernel.variant() + " has groups of " + grid.groupSize());
    }
    whole.launch(kernel, grid, arguments, timed);
  }

  @Override
  public void synchronize() {
    whole.synchronize();
  }

  @Override
  public void close() {
    whole.close();
  }
}
