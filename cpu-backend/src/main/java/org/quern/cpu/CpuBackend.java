package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.BufferPool;
import org.quern.core.DeviceInfo;
import org.quern.core.Ops;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Tensor;

/// The CPU as a device. Every call is finished when it returns.
final class CpuBackend implements Backend {
  private static final double DEFAULT_SHARE = 0.8;

  private final DeviceInfo device;
  private final WorkerPool workers;
  private final BufferPool pool;
  private final CpuOps ops;
  private final Precision precision;

  /// Opens the device.
  ///
  /// @param device what it is
  /// @param settings memory, debug and precision
  /// @param threads how many work
  /// @param kernels scalar, or else vector
  /// @param tiles for products with weights in BF16, or null for the kernels'
  CpuBackend(
      DeviceInfo device,
      Settings settings,
      int threads,
      CpuProvider.Choice kernels,
      @Nullable TileCode tiles) {
    this.device = device;
    this.precision = settings.precision();
    this.workers = new WorkerPool(threads);
    long limit =
        settings.memory() > 0 ? settings.memory() : (long) (device.memoryBytes() * DEFAULT_SHARE);
    this.pool = new BufferPool("cpu", new CpuMemory(), limit, settings.debug());
    // The names of Vector classes stand behind the choice: without the module they cannot load.
    this.ops =
        switch (kernels) {
          case AUTO, VECTOR, BITS_128, BITS_256, BITS_512 -> new VectorOps(workers, tiles);
          case SCALAR -> new ScalarOps(workers);
        };
  }

  @Override
  public DeviceInfo device() {
    return device;
  }

  @Override
  public Ops ops() {
    return ops;
  }

  @Override
  public BufferPool pool() {
    return pool;
  }

  @Override
  public void upload(Tensor target, MemorySegment source) {
    copy("upload", CpuBuffer.bytes(target), source);
  }

  @Override
  public void download(MemorySegment target, Tensor source) {
    copy("download", target, CpuBuffer.bytes(source));
  }

  private void copy(String what, MemorySegment target, MemorySegment source) {
    if (target.byteSize() != source.byteSize()) {
      throw new IllegalArgumentException(
          "%s: the target has %d bytes and the source %d"
              .formatted(what, target.byteSize(), source.byteSize()));
    }
    workers.enter();
    try {
      target.copyFrom(source);
    } finally {
      workers.exit();
    }
  }

  @Override
  public void sync() {
    workers.enter(); // nothing is queued: only a closed backend is noticed
    workers.exit();
  }

  /// {@return the weight as `quern.precision` says}
  @Override
  public Tensor prepare(Tensor weight, Scope owner) {
    return ops.prepare(weight, precision, owner);
  }

  @Override
  public void close() {
    workers.close();
    pool.close();
  }
}
