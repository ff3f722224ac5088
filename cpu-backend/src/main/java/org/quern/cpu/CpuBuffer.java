package org.quern.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.quern.core.Buffer;
import org.quern.core.DType;
import org.quern.core.Tensor;

/// Off-heap memory: either our own, with an arena of its own so that a use after free throws, or a
/// foreign segment such as a mapped file, which is never freed here.
class CpuBuffer implements Buffer {
  private final MemorySegment segment;
  private final @Nullable Arena arena;

  private CpuBuffer(MemorySegment segment, @Nullable Arena arena) {
    this.segment = segment;
    this.arena = arena;
  }

  /// For buffers that lie in another buffer's memory.
  CpuBuffer(CpuBuffer storage) {
    this(storage.segment, null);
  }

  /// {@return new memory, aligned to a cache line}
  ///
  /// @param bytes the size
  static CpuBuffer allocate(long bytes) {
    Arena arena = Arena.ofShared();
    try {
      return new CpuBuffer(arena.allocate(bytes, Machine.CACHE_LINE), arena);
    } catch (Throwable e) {
      arena.close();
      throw e;
    }
  }

  /// {@return a buffer over memory that somebody else owns; it may be read-only}
  ///
  /// @param segment off-heap memory
  static CpuBuffer wrap(MemorySegment segment) {
    if (!segment.isNative()) {
      throw new IllegalArgumentException("a CPU buffer must be off-heap memory");
    }
    return new CpuBuffer(segment, null);
  }

  @Override
  public final long bytes() {
    return segment.byteSize();
  }

  final MemorySegment segment() {
    return segment;
  }

  final void free() {
    if (arena != null) {
      arena.close();
    }
  }

  /// {@return the buffer of a tensor of this backend}
  static CpuBuffer of(Tensor tensor) {
    if (tensor.buffer() instanceof CpuBuffer own) {
      return own;
    }
    throw new IllegalArgumentException(
        "the tensor %s %s is of another backend, not of 'cpu': download it there and upload it here"
            .formatted(tensor.dtype(), tensor.shape()));
  }

  /// {@return the bytes of a tensor in any storage}
  static MemorySegment bytes(Tensor tensor) {
    return of(tensor)
        .segment
        .asSlice(tensor.dtype().bytes(tensor.offset()), tensor.dtype().bytes(tensor.elements()));
  }

  /// {@return the numbers of a tensor, which must be F32}
  static MemorySegment floats(Tensor tensor) {
    if (tensor.dtype() != DType.F32) {
      throw new IllegalArgumentException(
          "the CPU computes on F32 tensors, found %s %s: convert to F32 first"
              .formatted(tensor.dtype(), tensor.shape()));
    }
    return bytes(tensor);
  }

  /// {@return the numbers of a tensor, which must be F32, or null}
  static @Nullable MemorySegment floatsOrNull(@Nullable Tensor tensor) {
    return tensor == null ? null : floats(tensor);
  }

  /// {@return the numbers of a tensor, which must be I32, on the heap}
  static int[] ints(Tensor tensor) {
    if (tensor.dtype() != DType.I32) {
      throw new IllegalArgumentException(
          "expected a tensor of I32, found %s %s".formatted(tensor.dtype(), tensor.shape()));
    }
    return bytes(tensor).toArray(Native.INT);
  }
}
