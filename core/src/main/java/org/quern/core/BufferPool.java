package org.quern.core;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Device memory, kept by size class and handed out to [Scope]s. One a [Backend]; thread-safe.
///
/// A size class is the size rounded up to an eighth of its power of two, so that at most 1/8 is
/// wasted and tensors of nearly equal size share buffers. Of the free buffers of a class the oldest
/// is handed out, so that work that is done again gets the memory that it had before, whatever the
/// order in which that came back: devices that replay recorded work rely on it.
public final class BufferPool implements AutoCloseable {
  private static final long SMALLEST = 256;

  private final String owner;
  private final BufferAllocator allocator;
  private final long limit;
  private final boolean debug;
  private final Map<Long, TreeMap<Long, Buffer>> cache = new HashMap<>(); // by size, then by age
  private final IdentityHashMap<Buffer, Long> ages = new IdentityHashMap<>();
  private final Set<Scope> open = new LinkedHashSet<>();
  private long inUse;
  private long cached;
  private long peak;
  private long made;
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
    TreeMap<Long, Buffer> same = cache.get(size);
    Map.Entry<Long, Buffer> oldest = same == null ? null : same.pollFirstEntry();
    if (oldest == null) {
      return null;
    }
    cached -= oldest.getValue().bytes();
    return oldest.getValue();
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
    ages.put(buffer, made++);
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
    long age = Objects.requireNonNull(ages.get(buffer), "a buffer of another pool");
    cache.computeIfAbsent(buffer.bytes(), k -> new TreeMap<>()).put(age, buffer);
  }

  synchronized void closed(Scope scope) {
    open.remove(scope);
  }

  /// Gives all memory that is kept for reuse back to the device.
  public synchronized void trim() {
    for (TreeMap<Long, Buffer> same : cache.values()) {
      for (Buffer buffer : same.values()) {
        ages.remove(buffer);
        allocator.free(buffer);
      }
    }
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
