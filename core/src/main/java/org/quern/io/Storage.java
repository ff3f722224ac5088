package org.quern.io;

import java.lang.foreign.MemorySegment;
import org.quern.core.DType;

/// How a file holds the numbers of a weight.
public enum Storage {
  /// IEEE 754 binary32.
  F32(1, 4),
  /// IEEE 754 binary16.
  F16(1, 2),
  /// bfloat16: the upper half of a binary32.
  BF16(1, 2),
  /// Blocks of 32 numbers: a scale in F16 and 32 signed bytes, as GGUF has them.
  Q8_0(Q8Blocks.NUMBERS, Q8Blocks.BYTES);

  private final int block;
  private final int bytesPerBlock;

  Storage(int block, int bytesPerBlock) {
    this.block = block;
    this.bytesPerBlock = bytesPerBlock;
  }

  /// {@return how many numbers are stored together; a row has a multiple of it}
  public int block() {
    return block;
  }

  /// {@return the bytes that so many numbers take}
  ///
  /// @param numbers a multiple of [#block]
  /// @throws IllegalArgumentException if it is none
  public long bytes(long numbers) {
    if (numbers % block != 0) {
      throw new IllegalArgumentException(
          "%s holds multiples of %d numbers, found %d".formatted(this, block, numbers));
    }
    return Math.multiplyExact(numbers / block, (long) bytesPerBlock);
  }

  /// {@return the storage of that name}
  ///
  /// @throws IllegalArgumentException if weights cannot be stored so
  static Storage of(DType dtype) {
    return switch (dtype) {
      case F32 -> F32;
      case F16 -> F16;
      case BF16 -> BF16;
      case I32 -> throw new IllegalArgumentException("storage must be F32, F16 or BF16, found I32");
    };
  }

  /// Reads numbers that lie next to each other, exactly.
  ///
  /// @param target takes `count` numbers from `at` on
  /// @param source of this storage
  /// @param index of the first number
  void read(float[] target, int at, MemorySegment source, long index, int count) {
    switch (this) {
      case F32 -> HostNumbers.read(target, at, source, DType.F32, index, count);
      case F16 -> HostNumbers.read(target, at, source, DType.F16, index, count);
      case BF16 -> HostNumbers.read(target, at, source, DType.BF16, index, count);
      case Q8_0 -> Q8Blocks.read(target, at, source, index, count);
    }
  }

  /// Writes numbers, rounded to the nearest.
  ///
  /// @param target of this storage
  /// @param values `count` of them, from 0; a multiple of [#block]
  /// @throws IllegalArgumentException if a number does not fit
  void write(MemorySegment target, float[] values, int count) {
    switch (this) {
      case F32 -> HostNumbers.write(target, DType.F32, values, count);
      case F16 -> HostNumbers.write(target, DType.F16, values, count);
      case BF16 -> HostNumbers.write(target, DType.BF16, values, count);
      case Q8_0 -> Q8Blocks.write(target, values, count);
    }
  }
}
