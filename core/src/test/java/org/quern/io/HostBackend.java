package org.quern.io;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import org.quern.core.Backend;
import org.quern.core.Buffer;
import org.quern.core.BufferAllocator;
import org.quern.core.BufferPool;
import org.quern.core.DeviceInfo;
import org.quern.core.Ops;
import org.quern.core.Tensor;

/// Memory on the heap and no operations: enough to hold a model. Closing it fails on leaks.
final class HostBackend implements Backend {
  private record Bytes(byte[] array) implements Buffer {
    @Override
    public long bytes() {
      return array.length;
    }
  }

  private static final class Allocator implements BufferAllocator {
    @Override
    public Buffer allocate(long bytes) {
      return new Bytes(new byte[Math.toIntExact(bytes)]);
    }

    @Override
    public void free(Buffer buffer) {}
  }

  private final BufferPool pool = new BufferPool("test", new Allocator(), 1 << 26, true);

  @Override
  public DeviceInfo device() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Ops ops() {
    return (Ops)
        Proxy.newProxyInstance(
            Ops.class.getClassLoader(),
            new Class<?>[] {Ops.class},
            (proxy, method, arguments) -> {
              throw new UnsupportedOperationException(method.getName());
            });
  }

  @Override
  public BufferPool pool() {
    return pool;
  }

  private static MemorySegment memory(Tensor tensor, MemorySegment other) {
    if (other.byteSize() != tensor.bytes()) {
      throw new IllegalArgumentException("sizes differ");
    }
    return MemorySegment.ofArray(((Bytes) tensor.buffer()).array())
        .asSlice(tensor.dtype().bytes(tensor.offset()), tensor.bytes());
  }

  @Override
  public void upload(Tensor target, MemorySegment source) {
    memory(target, source).copyFrom(source);
  }

  @Override
  public void download(MemorySegment target, Tensor source) {
    target.copyFrom(memory(source, target));
  }

  @Override
  public void sync() {}

  @Override
  public void close() {
    long inUse = pool.stats().inUse();
    String leaks = pool.leaks().toString();
    pool.close();
    if (inUse != 0) {
      throw new AssertionError("leaked: " + leaks);
    }
  }
}
