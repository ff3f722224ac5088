package org.quern.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Functions of vectors, small enough to be inlined, made of exactly rounded operations only: the
/// same bits on every processor, compiled or not. That is why `lanewise(EXP)` is not used.
final class VectorMath {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;

  /// `1.5 * 2^23`: adding it rounds to an integer, which then lies in the low bits.
  private static final float ROUND = 12582912f;

  private static final float LOG2_E = 1.442695f;

  // ln 2 in two parts; the first has few enough bits that multiples of it are exact.
  private static final float LN2_HIGH = 0.6933594f;
  private static final float LN2_LOW = -2.12194440e-4f;

  private static final int EXPONENT_BIAS = 127 << 23;

  /// `125 ln 2`: below its negative, [#exp] gives 0 and not numbers without full precision, which
  /// processors add a hundred times slower.
  private static final float SMALLEST = 86.643394f;

  private static final float LARGEST = 88.02969f; // 127 ln 2

  /// Beyond, GELU is x or 0 to f32 precision.
  private static final float SATURATED = 15;

  private VectorMath() {}

  /// {@return `e^x` within 2 ulp; 0 below -86.6; infinity above 88; NaN stays}
  ///
  /// With `x = n ln 2 + r`, a minimax polynomial of degree 6 in r (2e-9, our own fit) times `2^n`.
  static FloatVector exp(FloatVector x) {
    FloatVector y = expSmall(x);
    return y.blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, LARGEST));
  }

  /// {@return [#exp] for x up to 88}
  static FloatVector expSmall(FloatVector x) {
    FloatVector z = x.fma(FloatVector.broadcast(S, LOG2_E), FloatVector.broadcast(S, ROUND));
    FloatVector n = z.sub(ROUND);
    FloatVector r = n.fma(FloatVector.broadcast(S, -LN2_HIGH), x);
    r = n.fma(FloatVector.broadcast(S, -LN2_LOW), r);
    FloatVector p = FloatVector.broadcast(S, 1.3836739e-3f);
    p = p.fma(r, FloatVector.broadcast(S, 8.374898e-3f));
    p = p.fma(r, FloatVector.broadcast(S, 0.041668233f));
    p = p.fma(r, FloatVector.broadcast(S, 0.16666418f));
    p = p.fma(r, FloatVector.broadcast(S, 0.4999999f));
    p = p.fma(r, FloatVector.broadcast(S, 1f));
    p = p.fma(r, FloatVector.broadcast(S, 1f));
    IntVector power = z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23).add(EXPONENT_BIAS);
    FloatVector y = p.mul(power.reinterpretAsFloats());
    return y.blend(0f, x.compare(VectorOperators.LT, -SMALLEST));
  }

  /// {@return x, but within the range where GELU is neither x nor 0; NaN stays}
  private static FloatVector clamp(FloatVector x) {
    FloatVector y = x.blend(SATURATED, x.compare(VectorOperators.GT, SATURATED));
    return y.blend(-SATURATED, y.compare(VectorOperators.LT, -SATURATED));
  }

  /// `-2 u` with u the argument of GELU's tanh; x is clamped.
  private static FloatVector tanhPower(FloatVector x, FloatVector square) {
    float linear = (float) (-2 * Functions.TANH_LINEAR);
    float cubic = (float) (-2 * Functions.TANH_LINEAR * Functions.TANH_CUBIC);
    return square.fma(FloatVector.broadcast(S, cubic), FloatVector.broadcast(S, linear)).mul(x);
  }

  /// {@return GELU in the tanh form, `x / (1 + exp(-2 u))`}
  static FloatVector geluTanh(FloatVector x) {
    FloatVector v = clamp(x);
    return x.div(exp(tanhPower(v, v.mul(v))).add(1f));
  }

  /// {@return the derivative of [#geluTanh]}
  static FloatVector geluTanhSlope(FloatVector x) {
    FloatVector v = clamp(x);
    FloatVector square = v.mul(v);
    FloatVector u = tanhPower(v, square);
    // the exponential times its own square must stay finite
    FloatVector e = expSmall(u.blend(80f, u.compare(VectorOperators.GT, 80f)));
    FloatVector s = FloatVector.broadcast(S, 1f).div(e.add(1f));
    float linear = (float) (2 * Functions.TANH_LINEAR);
    float cubic = (float) (6 * Functions.TANH_LINEAR * Functions.TANH_CUBIC);
    FloatVector slope =
        square.fma(FloatVector.broadcast(S, cubic), FloatVector.broadcast(S, linear)).mul(v);
    return e.mul(s).mul(s).fma(slope, s); // s + x slope s (1 - s)
  }

  /// `exp(-x^2 / 2)`, the square's rounding error taken into account; x is clamped.
  private static FloatVector bell(FloatVector x) {
    FloatVector h = x.mul(x);
    FloatVector low = x.fma(x, h.neg());
    FloatVector e = expSmall(h.mul(-0.5f));
    return e.mul(low).fma(FloatVector.broadcast(S, -0.5f), e);
  }

  /// The cumulative normal distribution, given the bell curve there; x is clamped.
  private static FloatVector normal(FloatVector x, FloatVector bell) {
    FloatVector one = FloatVector.broadcast(S, 1f);
    // t = 1 / (1 + z / 2) with z = |x| / sqrt(2)
    FloatVector t = one.div(x.abs().fma(FloatVector.broadcast(S, 0.35355338f), one));
    FloatVector q = FloatVector.broadcast(S, Functions.ERFC[9]);
    for (int i = 8; i >= 0; i--) {
      q = q.fma(t, FloatVector.broadcast(S, Functions.ERFC[i]));
    }
    FloatVector tail = q.mul(t).mul(bell).mul(0.5f);
    return tail.blend(one.sub(tail), x.compare(VectorOperators.GT, 0f));
  }

  /// {@return GELU in the erf form, `x Phi(x)`}
  static FloatVector geluErf(FloatVector x) {
    FloatVector v = clamp(x);
    return x.mul(normal(v, bell(v)));
  }

  /// {@return the derivative of [#geluErf], `Phi(x) + x phi(x)`}
  static FloatVector geluErfSlope(FloatVector x) {
    FloatVector v = clamp(x);
    FloatVector b = bell(v);
    return b.mul((float) Functions.NORMAL).fma(v, normal(v, b));
  }
}
