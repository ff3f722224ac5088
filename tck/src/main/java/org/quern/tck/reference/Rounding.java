package org.quern.tck.reference;

import org.quern.core.DType;

/// What happens to every intermediate result of the reference.
///
/// The same loops give two implementations: [#EXACT] is what others are compared with, [#FLOAT] is
/// the naive implementation in f32, whose error is the yardstick of the tolerance rule. Since a
/// float64 has more than twice the digits of a float32, an operation in float64 on float32 numbers
/// that is then rounded is that operation in float32, to the bit (Figueroa, "When is double
/// rounding innocuous?", 1995).
public enum Rounding {
  /// Nothing is rounded: float64 throughout, whatever the storage says.
  EXACT,
  /// Every sum, product, quotient, root and function value is rounded to f32, and what is stored to
  /// the storage of its tensor.
  FLOAT;

  private final boolean narrow = name().equals("FLOAT");

  /// {@return the result of one operation, rounded}
  ///
  /// @param x the result in float64
  public double of(double x) {
    return narrow ? (float) x : x;
  }

  /// {@return a number as a tensor of that storage keeps it}
  ///
  /// @param x the number
  /// @param dtype the storage
  public double store(double x, DType dtype) {
    return narrow ? toStorage(x, dtype) : x;
  }

  /// {@return the nearest number that the storage can hold, ties to even}
  ///
  /// @param x the number
  /// @param dtype the storage
  public static double toStorage(double x, DType dtype) {
    return switch (dtype) {
      case F32 -> (float) x;
      case BF16 -> bf16(toBf16((float) x));
      case F16 -> Float.float16ToFloat(Float.floatToFloat16((float) x));
      case I32 -> (int) x;
    };
  }

  /// {@return the bfloat16 bits nearest to a float, ties to even}
  ///
  /// @param x the float; NaN stays NaN
  public static short toBf16(float x) {
    int bits = Float.floatToRawIntBits(x);
    if (Float.isNaN(x)) {
      return (short) ((bits >>> 16) | 0x40);
    }
    int half = 0x7fff + ((bits >>> 16) & 1);
    return (short) ((bits + half) >>> 16);
  }

  /// {@return the number that bfloat16 bits stand for}
  ///
  /// @param bits the upper half of a float
  public static float bf16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }
}
