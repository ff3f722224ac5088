package org.quern.core;

/// How an element is stored. Arithmetic is f32 whatever the storage.
public enum DType {
  /// IEEE 754 binary32.
  F32(4),
  /// bfloat16: the upper half of a binary32.
  BF16(2),
  /// IEEE 754 binary16.
  F16(2),
  /// Signed 32-bit integers, little-endian: token ids and positions.
  I32(4);

  private final int bytesPerElement;

  DType(int bytesPerElement) {
    this.bytesPerElement = bytesPerElement;
  }

  /// {@return the bytes that one element takes}
  public int bytes() {
    return bytesPerElement;
  }

  /// {@return the bytes that so many elements take}
  ///
  /// @param elements how many
  public long bytes(long elements) {
    return Math.multiplyExact(elements, (long) bytesPerElement);
  }

  /// {@return whether this holds real numbers, not integers}
  public boolean real() {
    return this != I32;
  }
}
