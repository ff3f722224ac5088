package org.quern.tck.reference;

import org.quern.core.DType;

/// What happens to every intermediate result of the reference: the same loops give several
/// implementations.
///
/// - [#exact] is float64 throughout: what others are compared with.
/// - [#nearest] is the naive implementation in f32. Since a float64 has more than twice the digits
///   of a float32, an operation in float64 on float32 numbers that is then rounded is that
///   operation in float32, to the bit (Figueroa, "When is double rounding innocuous?", SIGNUM
///   1995).
/// - [#random] is the same, rounded up or down by chance (Parker, "Monte Carlo arithmetic", 1997):
///   it shows how far a correct f32 implementation may be off that sums in another order or rounds
///   elsewhere, also where the naive one is exact by luck.
public final class Rounding {
  private enum Kind {
    EXACT,
    NEAREST,
    RANDOM
  }

  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private final Kind kind;
  private long state;

  private Rounding(Kind kind, long state) {
    this.kind = kind;
    this.state = state;
  }

  /// {@return no rounding: float64 throughout, whatever the storage says}
  public static Rounding exact() {
    return new Rounding(Kind.EXACT, 0);
  }

  /// {@return every sum, product, quotient, root and function value rounded to the nearest f32, and
  /// what is stored to the storage of its tensor}
  public static Rounding nearest() {
    return new Rounding(Kind.NEAREST, 0);
  }

  /// {@return every inexact result rounded to one of its two f32 neighbours by chance}
  ///
  /// @param seed of the coin
  public static Rounding random(long seed) {
    return new Rounding(Kind.RANDOM, seed);
  }

  /// {@return the result of one operation, rounded}
  ///
  /// @param x the result in float64
  public double of(double x) {
    if (kind == Kind.EXACT) {
      return x;
    }
    float near = (float) x;
    return kind == Kind.NEAREST || near == x || !Float.isFinite(near) ? near : either(x, near);
  }

  private double either(double x, float near) {
    if (coin()) {
      return near;
    }
    return near > x ? Math.nextDown(near) : Math.nextUp(near);
  }

  private boolean coin() {
    state += GOLDEN;
    long z = (state ^ (state >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z < 0;
  }

  /// {@return an input, with random rounding moved to one of its f32 neighbours by chance: what a
  /// backward stable algorithm may have computed with}
  ///
  /// @param x the input
  double perturb(double x) {
    if (kind != Kind.RANDOM || x == 0 || !Double.isFinite(x)) {
      return x;
    }
    return coin() ? Math.nextUp((float) x) : Math.nextDown((float) x);
  }

  /// {@return a number as a tensor of that storage keeps it}
  ///
  /// @param x the number
  /// @param dtype the storage
  double store(double x, DType dtype) {
    return kind == Kind.EXACT ? x : toStorage(x, dtype);
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

  @Override
  public String toString() {
    return kind.name();
  }
}
