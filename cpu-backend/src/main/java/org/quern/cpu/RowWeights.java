package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.quern.core.Precision;

/// Rows of weights in 16 or 8 bits for the scalar kernels, one behind the other: BF16 as such; Q8
/// as blocks of a scale and 32 int8, the last one of a row filled up with zeros.
final class RowWeights {
  private static final int BLOCK = Quantization.BLOCK;
  private static final int BLOCK_BYTES = Float.BYTES + BLOCK;

  private RowWeights() {}

  /// {@return the bytes of a row}
  ///
  /// @param precision BF16 or Q8
  /// @param width its numbers
  static long bytes(Precision precision, int width) {
    return switch (precision) {
      case BF16 -> (long) width * Short.BYTES;
      case Q8 -> (long) Quantization.blocks(width) * BLOCK_BYTES;
      case F32, F16 -> throw new IllegalArgumentException("no rows of " + precision);
    };
  }

  /// Rounds a row.
  ///
  /// @param x the numbers
  /// @param width how many
  /// @param to takes them
  /// @param at the first byte
  /// @param precision BF16 or Q8
  static void store(float[] x, int width, MemorySegment to, long at, Precision precision) {
    if (precision == Precision.BF16) {
      for (int k = 0; k < width; k++) {
        to.set(Native.SHORT, at + (long) k * Short.BYTES, Storage.toBfloat16(x[k]));
      }
      return;
    }
    for (int k = 0; k < width; k += BLOCK) {
      int count = Math.min(BLOCK, width - k);
      float most = 0;
      for (int l = k; l < k + count; l++) {
        most = Math.max(most, Math.abs(x[l]));
      }
      float inverse = Quantization.inverse(most);
      long block = at + (long) (k / BLOCK) * BLOCK_BYTES;
      to.set(Native.FLOAT, block, Quantization.scale(most));
      for (int l = 0; l < BLOCK; l++) {
        byte q = l < count ? Quantization.quantize(x[k + l], inverse) : 0;
        to.set(ValueLayout.JAVA_BYTE, block + Float.BYTES + l, q);
      }
    }
  }

  /// Reads a part of a row.
  ///
  /// @param to takes the numbers, from its start
  /// @param from the memory
  /// @param at the row's first byte
  /// @param first the first number, a multiple of the block
  /// @param count how many
  /// @param precision BF16 or Q8
  static void load(
      Scratch scratch,
      float[] to,
      MemorySegment from,
      long at,
      int first,
      int count,
      Precision precision) {
    if (precision == Precision.BF16) {
      short[] bits = scratch.shorts(count);
      MemorySegment.copy(from, Native.SHORT, at + (long) first * Short.BYTES, bits, 0, count);
      for (int k = 0; k < count; k++) {
        to[k] = Storage.fromBfloat16(bits[k]);
      }
      return;
    }
    for (int k = 0; k < count; k += BLOCK) {
      long block = at + (long) ((first + k) / BLOCK) * BLOCK_BYTES;
      float scale = from.get(Native.FLOAT, block);
      for (int l = k; l < Math.min(count, k + BLOCK); l++) {
        to[l] = scale * from.get(ValueLayout.JAVA_BYTE, block + Float.BYTES + l - k);
      }
    }
  }
}
