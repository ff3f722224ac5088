package org.quern.plan;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import org.quern.core.Backend;
import org.quern.core.Buffer;
import org.quern.core.BufferAllocator;
import org.quern.core.BufferPool;
import org.quern.core.DType;
import org.quern.core.DeviceInfo;
import org.quern.core.Ops;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// A device without memory that computes nothing and keeps sizes only: what runs on it takes from
/// its [#pool] what it would take from a real device's. Downloads give zeros.
public final class SizesBackend implements Backend {
  /// Elements of a row of Q8 that share a scale.
  private static final int BLOCK = 32;

  private final Precision precision;
  private final Packing packing;
  private final BufferPool pool = new BufferPool("sizes", new Allocator(), Long.MAX_VALUE, false);
  private final Ops ops = new NoOps();
  private long prepared;

  /// Whether a device keeps F32 weights a second time, in a layout of its own.
  public enum Packing {
    /// It computes from them as they are: GPUs.
    NONE,
    /// It does: the vector kernels of the CPU.
    PACKED
  }

  /// Makes a device.
  ///
  /// @param precision of prepared weights
  /// @param packing of prepared weights in F32
  public SizesBackend(Precision precision, Packing packing) {
    this.precision = precision;
    this.packing = packing;
  }

  private static final class Size implements Buffer {
    private final long bytes;

    Size(long bytes) {
      this.bytes = bytes;
    }

    @Override
    public long bytes() {
      return bytes;
    }
  }

  private static final class Allocator implements BufferAllocator {
    @Override
    public Buffer allocate(long bytes) {
      return new Size(bytes);
    }

    @Override
    public void free(Buffer buffer) {}
  }

  /// {@return the bytes of all weights prepared so far, those used as they are not counted}
  long preparedBytes() {
    return prepared;
  }

  @Override
  public Tensor prepare(Tensor weight, Scope owner) {
    if (precision == Precision.F32 && packing == Packing.NONE) {
      return weight;
    }
    long bytes = bytes(weight.shape());
    prepared += bytes;
    return owner.allocate(DType.F32, Shape.of(-Math.floorDiv(-bytes, Float.BYTES)));
  }

  private long bytes(Shape weight) {
    return switch (precision) {
      case F32 -> DType.F32.bytes(weight.elements());
      case BF16, F16 -> DType.BF16.bytes(weight.elements());
      case Q8 -> {
        long blocks = -Math.floorDiv(-weight.last(), BLOCK);
        yield weight.rows() * blocks * (BLOCK + Float.BYTES);
      }
    };
  }

  @Override
  public DeviceInfo device() {
    return new DeviceInfo("sizes", 0, "sizes only", 0, Map.of());
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
  public void upload(Tensor target, MemorySegment source) {}

  @Override
  public void download(MemorySegment target, Tensor source) {
    target.fill((byte) 0);
  }

  @Override
  public void sync() {}

  @Override
  public void close() {
    pool.close();
  }
}
