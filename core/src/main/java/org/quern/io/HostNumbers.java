package org.quern.io;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.quern.core.DType;

/// Numbers in host memory, little-endian and at any address, from and to F32.
final class HostNumbers {
  private static final ValueLayout.OfFloat WORD =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private HostNumbers() {}

  /// Reads numbers that lie next to each other, exactly.
  ///
  /// @param target takes `count` numbers from `at` on
  /// @param source of storage `dtype`, F32, F16 or BF16
  /// @param index of the first number
  static void read(
      float[] target, int at, MemorySegment source, DType dtype, long index, int count) {
    if (dtype == DType.F32) {
      MemorySegment.copy(source, WORD, Float.BYTES * index, target, at, count);
      return;
    }
    // Copied first: loops over arrays are fast from the start, loops over segments once compiled.
    short[] raw = new short[count];
    MemorySegment.copy(source, HALF, Short.BYTES * index, raw, 0, count);
    switch (dtype) {
      case F16 -> {
        for (int i = 0; i < count; i++) {
          target[at + i] = Float.float16ToFloat(raw[i]);
        }
      }
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          target[at + i] = Float.intBitsToFloat(raw[i] << 16);
        }
      }
      case F32, I32 -> throw new IllegalArgumentException("expected real numbers, found " + dtype);
    }
  }

  /// Writes numbers, rounded to the nearest, ties to even.
  ///
  /// @param target of storage `dtype`, F32, F16 or BF16
  /// @param values `count` of them, from 0
  /// @throws IllegalArgumentException if a finite number is too large for the storage
  static void write(MemorySegment target, DType dtype, float[] values, int count) {
    if (dtype == DType.F32) {
      MemorySegment.copy(values, 0, target, WORD, 0, count);
      return;
    }
    short[] raw = new short[count];
    switch (dtype) {
      case F16 -> {
        for (int i = 0; i < count; i++) {
          raw[i] = half(values[i]);
        }
      }
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          raw[i] = bfloat(values[i]);
        }
      }
      case F32, I32 -> throw new IllegalArgumentException("expected real numbers, found " + dtype);
    }
    MemorySegment.copy(raw, 0, target, HALF, 0, count);
  }

  private static short half(float value) {
    short half = Float.floatToFloat16(value);
    if ((half & 0x7FFF) == 0x7C00 && !Float.isInfinite(value)) {
      throw new IllegalArgumentException(
          "F16 holds numbers up to 65504, found %s; use BF16 or F32".formatted(value));
    }
    return half;
  }

  private static short bfloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | 0x40); // stays NaN whatever is cut off
    }
    int rounded = (bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16;
    if ((rounded & 0x7FFF) == 0x7F80 && !Float.isInfinite(value)) {
      throw new IllegalArgumentException(
          "BF16 holds numbers up to 3.39e38, found %s; use F32".formatted(value));
    }
    return (short) rounded;
  }
}
