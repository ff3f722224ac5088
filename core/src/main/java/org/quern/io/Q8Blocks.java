package org.quern.io;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// GGUF's Q8_0: a block of 32 numbers is `d` in F16 and 32 signed bytes `q`; a number is `d q`.
final class Q8Blocks {
  static final int NUMBERS = 32;
  static final int BYTES = 2 + NUMBERS;

  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private Q8Blocks() {}

  static void read(float[] target, int at, MemorySegment source, long index, int count) {
    for (int done = 0; done < count; ) {
      long block = (index + done) / NUMBERS;
      int first = (int) ((index + done) % NUMBERS);
      int n = Math.min(NUMBERS - first, count - done);
      long from = block * BYTES;
      float scale = Float.float16ToFloat(source.get(HALF, from));
      for (int i = 0; i < n; i++) {
        target[at + done + i] = scale * source.get(ValueLayout.JAVA_BYTE, from + 2 + first + i);
      }
      done += n;
    }
  }

  /// The scale is a 127th of the largest magnitude; the bytes are rounded by the scale before that
  /// is rounded to F16, ties away from zero. So does ggml, whose files these shall equal.
  ///
  /// @throws IllegalArgumentException if a number is not finite or the scale does not fit F16
  static void write(MemorySegment target, float[] values, int count) {
    for (int from = 0; from < count; from += NUMBERS) {
      float largest = 0;
      for (int i = from; i < from + NUMBERS; i++) {
        if (!Float.isFinite(values[i])) {
          throw new IllegalArgumentException(
              "Q8_0 holds finite numbers, found %s; use F32".formatted(values[i]));
        }
        largest = Math.max(largest, Math.abs(values[i]));
      }
      float scale = largest / 127;
      float inverse = 1 / scale;
      if (Float.isInfinite(inverse)) {
        inverse = 0; // so small a scale is 0 in F16
      }
      short half = Float.floatToFloat16(scale);
      if ((half & 0x7FFF) == 0x7C00) {
        throw new IllegalArgumentException(
            "Q8_0 holds numbers up to 8.3e6, found %s; use F32".formatted(largest));
      }
      long block = (long) (from / NUMBERS) * BYTES;
      target.set(HALF, block, half);
      for (int i = 0; i < NUMBERS; i++) {
        target.set(ValueLayout.JAVA_BYTE, block + 2 + i, rounded(values[from + i] * inverse));
      }
    }
  }

  private static byte rounded(float x) {
    int magnitude = (int) (Math.abs((double) x) + 0.5); // exact, as a sum of floats is not
    return (byte) (x < 0 ? -magnitude : magnitude);
  }
}
