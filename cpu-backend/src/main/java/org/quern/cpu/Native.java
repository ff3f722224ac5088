package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// Copies between off-heap memory and arrays. Counts are elements, not bytes.
///
/// Kernels that read single numbers do so from arrays: the JIT leaves range checks in loops over
/// segments, and its first tier does not inline them at all.
final class Native {
  /// Tensors are little-endian and may start anywhere.
  static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /// The same for integers.
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /// The same for the 16-bit storages.
  static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private Native() {}

  static void load(float[] to, int at, MemorySegment from, long first, int count) {
    MemorySegment.copy(from, FLOAT, first * Float.BYTES, to, at, count);
  }

  static void store(MemorySegment to, long first, float[] from, int at, int count) {
    MemorySegment.copy(from, at, to, FLOAT, first * Float.BYTES, count);
  }

  static void copy(MemorySegment to, long first, MemorySegment from, long at, long count) {
    MemorySegment.copy(from, at * Float.BYTES, to, first * Float.BYTES, count * Float.BYTES);
  }

  static float get(MemorySegment from, long index) {
    return from.get(FLOAT, index * Float.BYTES);
  }

  static void set(MemorySegment to, long index, float value) {
    to.set(FLOAT, index * Float.BYTES, value);
  }
}
