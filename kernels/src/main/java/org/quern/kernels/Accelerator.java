package org.quern.kernels;

import java.lang.foreign.MemorySegment;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.quern.core.Buffer;
import org.quern.core.DeviceInfo;

/// The device seam: memory, programs and one in-order queue of a GPU or anything like it. All that
/// a backend for a new kind of device implements; [DeviceBackend] makes a `Backend` of it.
///
/// [DeviceBackend] calls one method at a time, from any thread, and never after [#close].
/// Everything but [#download] and [#synchronize] may be asynchronous; work runs in the order of the
/// calls.
///
/// A driver's error is a [org.quern.core.DeviceException] with the call and the code's name. A
/// buffer or kernel of another accelerator is an `IllegalArgumentException`, one that was freed or
/// closed an `IllegalStateException`.
public interface Accelerator extends AutoCloseable {
  /// {@return the device}
  DeviceInfo device();

  /// {@return what the device can take}
  DeviceLimits limits();

  /// {@return new memory with undefined contents, aligned to 64 bytes or more; null if the device
  /// has none left}
  ///
  /// @param bytes the size, positive
  @Nullable Buffer allocate(long bytes);

  /// Gives memory back. Work that was queued before may still use it, and finishes.
  ///
  /// @param buffer from [#allocate]
  void free(Buffer buffer);

  /// Copies host memory to the device. The source may be changed as soon as this returns.
  ///
  /// @param target from [#allocate]
  /// @param at the first byte to write
  /// @param source heap or native memory
  void upload(Buffer target, long at, MemorySegment source);

  /// Waits for the work queued before, and copies device memory to the host.
  ///
  /// @param target heap or native memory
  /// @param source from [#allocate]
  /// @param at the first byte to read
  void download(MemorySegment target, Buffer source, long at);

  /// Copies within the device.
  ///
  /// @param target from [#allocate]
  /// @param to the first byte to write
  /// @param source from [#allocate]; may be the target, where the ranges do not overlap
  /// @param from the first byte to read
  /// @param bytes how many
  void copy(Buffer target, long to, Buffer source, long from, long bytes);

  /// {@return a kernel, ready to launch; it lives until it or the accelerator is closed}
  ///
  /// @param variant its text and the definitions that make it whole
  /// @throws org.quern.core.DeviceException if it does not compile, with the build log
  Kernel compile(KernelVariant variant);

  /// {@return whether [#compile] can make this of a text that is right: a device without a compiler
  /// has some variants ready-made, and operations go another way for the others}
  ///
  /// @param variant its text and definitions
  default boolean offers(KernelVariant variant) {
    return true;
  }

  /// Queues a kernel.
  ///
  /// @param kernel from [#compile]
  /// @param grid how many groups of how many items
  /// @param arguments its parameters, in order
  /// @param timed is told the nanoseconds that the kernel took on the device, at the latest in the
  ///   next [#synchronize]; null when nobody wants to know
  void launch(Kernel kernel, Grid grid, Arguments arguments, @Nullable LongConsumer timed);

  /// Waits for all work.
  void synchronize();

  /// Waits for work in flight, then gives back the queue, all kernels and whatever else the driver
  /// holds for this object. Buffers have been freed before.
  @Override
  void close();

  /// A compiled kernel. Closing it gives back what the driver holds for it.
  interface Kernel extends AutoCloseable {
    /// {@return what it was compiled from}
    KernelVariant variant();

    @Override
    void close();
  }
}
