package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import org.quern.core.DType;
import org.quern.core.Tensor;

/// Numbers in their storages: the same for both kinds of kernels, since the JIT vectorizes these
/// loops over arrays by itself.
final class Storage {
  private static final int NAN_BIT = 0x40;

  private Storage() {}

  /// {@return the nearest bfloat16, ties to even; NaN stays NaN}
  static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | NAN_BIT);
    }
    return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
  }

  /// {@return the value of a bfloat16}
  static float fromBfloat16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /// {@return the bits of a number in a 16-bit storage}
  static short toShort(float value, DType dtype) {
    return switch (dtype) {
      case BF16 -> toBfloat16(value);
      case F16 -> Float.floatToFloat16(value);
      case F32, I32 -> throw notReal("a 16-bit storage", dtype);
    };
  }

  /// Converts a range.
  ///
  /// @param y the result
  /// @param x the source
  /// @param at the first element
  /// @param count how many, at most what an array holds
  static void convert(Scratch scratch, Tensor y, Tensor x, long at, int count) {
    float[] numbers = scratch.floats(0, count);
    read(scratch, numbers, x, at, count);
    write(scratch, y, numbers, at, count);
  }

  private static void read(Scratch scratch, float[] to, Tensor x, long at, int count) {
    MemorySegment bytes = CpuBuffer.bytes(x);
    if (x.dtype() == DType.F32) {
      Native.load(to, 0, bytes, at, count);
      return;
    }
    short[] s = scratch.shorts(count);
    MemorySegment.copy(bytes, Native.SHORT, at * Short.BYTES, s, 0, count);
    switch (x.dtype()) {
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          to[i] = fromBfloat16(s[i]);
        }
      }
      case F16 -> {
        for (int i = 0; i < count; i++) {
          to[i] = Float.float16ToFloat(s[i]);
        }
      }
      case F32, I32 -> throw notReal("convert", x.dtype());
    }
  }

  private static void write(Scratch scratch, Tensor y, float[] from, long at, int count) {
    MemorySegment bytes = CpuBuffer.bytes(y);
    if (y.dtype() == DType.F32) {
      Native.store(bytes, at, from, 0, count);
      return;
    }
    short[] s = scratch.shorts(count);
    switch (y.dtype()) {
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          s[i] = toBfloat16(from[i]);
        }
      }
      case F16 -> {
        for (int i = 0; i < count; i++) {
          s[i] = Float.floatToFloat16(from[i]);
        }
      }
      case F32, I32 -> throw notReal("convert", y.dtype());
    }
    MemorySegment.copy(s, 0, bytes, Native.SHORT, at * Short.BYTES, count);
  }

  /// {@return that integers are no numbers to compute with}
  static IllegalArgumentException notReal(String what, DType dtype) {
    return new IllegalArgumentException(
        "%s: expected F32, BF16 or F16 storage, found %s".formatted(what, dtype));
  }
}
