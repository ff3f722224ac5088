package org.quern.core;

import java.util.IdentityHashMap;
import org.jspecify.annotations.Nullable;

/// An arena of tensors, for try-with-resources: closing it returns their memory to the pool.
/// Belongs to one thread at a time; closing the backend closes it, from whichever thread.
///
/// ```java
/// try (Scope step = backend.open("step")) {
///   Tensor x = step.allocate(DType.F32, Shape.of(2, 3));
///   ...
/// }
/// ```
public final class Scope implements AutoCloseable {
  /// Its monitor guards all that changes here: closing the pool closes scopes of other threads.
  private final BufferPool pool;

  private final String name;
  private final @Nullable String site;
  private final IdentityHashMap<Buffer, Boolean> buffers = new IdentityHashMap<>();
  private long bytes;
  private long peak;
  private boolean closed;

  Scope(BufferPool pool, String name, @Nullable Throwable opened) {
    this.pool = pool;
    this.name = name;
    this.site = opened == null ? null : site(opened);
  }

  private static @Nullable String site(Throwable opened) {
    for (StackTraceElement e : opened.getStackTrace()) {
      if (!e.getClassName().startsWith("org.quern.core.")) {
        return e.toString();
      }
    }
    return null;
  }

  /// {@return a tensor with undefined contents, owned by this scope}
  ///
  /// @param dtype the storage
  /// @param shape the dimensions
  /// @throws OutOfDeviceMemoryException if the device has no room for it
  /// @throws IllegalStateException if the scope or its backend is closed
  public Tensor allocate(DType dtype, Shape shape) {
    long size = dtype.bytes(shape.elements());
    synchronized (pool) {
      checkOpen();
      Buffer buffer = pool.take(size);
      own(buffer);
      return new Tensor(buffer, dtype, shape, 0);
    }
  }

  /// {@return a float tensor with undefined contents, owned by this scope}
  ///
  /// @param dims the dimensions
  /// @throws OutOfDeviceMemoryException if the device has no room for it
  /// @throws IllegalStateException if the scope or its backend is closed
  public Tensor floats(long... dims) {
    return allocate(DType.F32, Shape.of(dims));
  }

  /// Returns a tensor's memory before the scope closes. Every view of it goes with it.
  ///
  /// @param tensor from [#allocate], or a view of it
  /// @throws IllegalStateException if this scope does not own it
  public void release(Tensor tensor) {
    synchronized (pool) {
      disown(tensor);
      pool.give(tensor.buffer());
    }
  }

  /// Hands a tensor's memory to another scope of the same pool, which then returns it.
  ///
  /// @param tensor owned by this scope
  /// @param heir the new owner
  /// @throws IllegalStateException if this scope does not own it, or the heir is closed
  public void move(Tensor tensor, Scope heir) {
    if (heir.pool != pool) {
      throw new IllegalArgumentException("scope '%s' is of another backend".formatted(heir.name));
    }
    synchronized (pool) {
      heir.checkOpen();
      disown(tensor);
      heir.own(tensor.buffer());
    }
  }

  /// {@return whether this scope owns the tensor's memory}
  ///
  /// @param tensor any tensor
  public boolean owns(Tensor tensor) {
    synchronized (pool) {
      return buffers.containsKey(tensor.buffer());
    }
  }

  private void own(Buffer buffer) {
    buffers.put(buffer, Boolean.TRUE);
    bytes += buffer.bytes();
    peak = Math.max(peak, bytes);
  }

  private void disown(Tensor tensor) {
    checkOpen();
    if (buffers.remove(tensor.buffer()) == null) {
      throw new IllegalStateException(
          "scope '%s' does not own this tensor of shape %s: released twice, or never its own"
              .formatted(name, tensor.shape()));
    }
    bytes -= tensor.buffer().bytes();
  }

  /// {@return what the scope is for}
  public String name() {
    return name;
  }

  /// {@return the bytes that it holds}
  public long bytes() {
    return bytes;
  }

  /// {@return the most bytes that it held at once}
  public long peak() {
    return peak;
  }

  @Nullable String site() {
    return site;
  }

  private void checkOpen() {
    pool.checkOpen();
    if (closed) {
      throw new IllegalStateException("scope '%s' is closed".formatted(name));
    }
  }

  /// Returns all memory to the pool. Closing twice is harmless.
  @Override
  public void close() {
    synchronized (pool) {
      if (closed) {
        return;
      }
      closed = true;
      buffers.keySet().forEach(pool::give);
      buffers.clear();
      bytes = 0;
      pool.closed(this);
    }
  }
}
