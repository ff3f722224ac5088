package org.quern.core;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Device memory, kept by size class and handed out to [Scope]s. One a [Backend]; thread-safe.
///
/// A size class is the size rounded up to an eighth of its power of two, so that at most 1/8 is
/// wasted and tensors of nearly equal size share buffers.
public final class BufferPool implements AutoCloseable {
  private static final long SMALLEST = 256;

  private final String owner;
  private final BufferAllocator allocator;
  private final long limit;
  private final boolean debug;
  private final TreeMap<Long, Deque<Buffer>> cache = new TreeMap<>();
  private final Set<Scope> open = new LinkedHashSet<>();
  private long inUse;
  private long cached;
  private long peak;
  private boolean closed;

  /// Makes an empty pool.
  ///
  /// @param owner names the device in messages
  /// @param allocator where memory comes from
  /// @param limit the most bytes to hold
  /// @param debug poison released memory, and remember where scopes were opened
  public BufferPool(String owner, BufferAllocator allocator, long limit, boolean debug) {
    this.owner = owner;
    this.allocator = allocator;
    this.limit = limit;
    this.debug = debug;
  }

  /// {@return a new scope, to be closed by the caller}
  ///
  /// @param name what it is for; names leaks and out-of-memory messages
  /// @throws IllegalStateException if the pool is closed
  public synchronized Scope open(String name) {
    checkOpen();
    Scope scope = new Scope(this, name, debug ? new Throwable("opened here") : null);
    open.add(scope);
    return scope;
  }

  synchronized Buffer take(long bytes) {
    checkOpen();
    long size = sizeClass(bytes);
    Buffer buffer = takeCached(size);
    if (buffer == null) {
      buffer = allocateNew(size);
    }
    inUse += buffer.bytes();
    peak = Math.max(peak, inUse);
    return buffer;
  }

  private @Nullable Buffer takeCached(long size) {
    Deque<Buffer> same = cache.get(size);
    if (same == null) {
      return null;
    }
    Buffer buffer = same.pop();
    if (same.isEmpty()) {
      cache.remove(size);
    }
    cached -= buffer.bytes();
    return buffer;
  }

  private Buffer allocateNew(long size) {
    if (inUse + cached + size > limit) {
      trim();
    }
    Buffer buffer = inUse + size > limit ? null : allocator.allocate(size);
    if (buffer == null && cached > 0) {
      trim();
      buffer = allocator.allocate(size);
    }
    if (buffer == null) {
      throw outOfMemory(size);
    }
    return buffer;
  }

  private OutOfDeviceMemoryException outOfMemory(long size) {
    StringBuilder text = new StringBuilder();
    text.append(
        "out of memory on %s: asked for %s, %s of %s in use, peak %s."
            .formatted(owner, human(size), human(inUse), human(limit), human(peak)));
    for (Scope scope : open) {
      text.append(" Scope '%s' peak %s.".formatted(scope.name(), human(scope.peak())));
    }
    double fits = (double) limit / (inUse + size);
    text.append(
        " Use a smaller batch or context (about %.2f of this one fits), or raise quern.memory."
            .formatted(Math.min(fits, 0.99)));
    return new OutOfDeviceMemoryException(text.toString(), size);
  }

  synchronized void give(Buffer buffer) {
    if (closed) {
      return; // the pool's close has freed it
    }
    if (debug) {
      allocator.poison(buffer);
    }
    inUse -= buffer.bytes();
    cached += buffer.bytes();
    cache.computeIfAbsent(buffer.bytes(), k -> new ArrayDeque<>()).push(buffer);
  }

  synchronized void closed(Scope scope) {
    open.remove(scope);
  }

  /// Gives all memory that is kept for reuse back to the device.
  public synchronized void trim() {
    cache.values().forEach(same -> same.forEach(allocator::free));
    cache.clear();
    cached = 0;
  }

  /// {@return what the pool holds now}
  public synchronized MemoryStats stats() {
    return new MemoryStats(inUse, cached, peak, limit);
  }

  /// {@return the open scopes: name, bytes, and with `quern.debug` where they were opened}
  public synchronized List<String> leaks() {
    List<String> out = new ArrayList<>();
    for (Scope scope : open) {
      String site = scope.site() == null ? "" : ", opened at " + scope.site();
      out.add("%s holds %s%s".formatted(scope.name(), human(scope.bytes()), site));
    }
    return out;
  }

  /// Frees everything, open scopes included: their tensors must not be used any more. Closing twice
  /// is harmless.
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    List.copyOf(open).forEach(Scope::close);
    trim();
    closed = true;
  }

  synchronized void checkOpen() {
    if (closed) {
      throw new IllegalStateException(owner + " is closed");
    }
  }

  static long sizeClass(long bytes) {
    if (bytes <= SMALLEST) {
      return SMALLEST;
    }
    long step = Math.max(SMALLEST, Long.highestOneBit(bytes - 1) >> 3);
    return Math.addExact(bytes, step - 1) / step * step;
  }

  static String human(long bytes) {
    if (bytes < 1 << 20) {
      return String.format(Locale.ROOT, "%.1f KiB", bytes / 1024.0);
    }
    if (bytes < 1 << 30) {
      return String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20));
    }
    return String.format(Locale.ROOT, "%.2f GiB", bytes / (double) (1 << 30));
  }
}
