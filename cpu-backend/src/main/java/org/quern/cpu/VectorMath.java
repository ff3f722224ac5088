package org.quern.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Functions of whole arrays, of a length that is a multiple of the lanes. They are made of exactly
/// rounded operations only: the same bits on every processor, compiled or not. That is why
/// `lanewise(EXP)` is not used.
///
/// Each is one flat loop. The JIT stops inlining helpers in a method that has grown beyond a
/// budget, and a helper that returns a vector then allocates it.
final class VectorMath {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final int L = S.length();

  /// `1.5 * 2^23`: adding it rounds to an integer, which then lies in the low bits.
  private static final float ROUND = 12582912f;

  private static final float LOG2_E = 1.442695f;

  // ln 2 in two parts; the first has few enough bits that multiples of it are exact.
  private static final float LN2_HIGH = 0.6933594f;
  private static final float LN2_LOW = -2.1219444e-4f;

  private static final int EXPONENT_BIAS = 127 << 23;

  /// `125 ln 2`: below its negative, [#exp] gives 0 and not numbers without full precision, which
  /// processors add a hundred times slower.
  private static final float SMALLEST = 86.643394f;

  private static final float LARGEST = 88.02969f; // 127 ln 2

  /// Beyond, GELU is x or 0 to f32 precision.
  private static final float SATURATED = 15;

  // e^r for r from -ln(2)/2 to ln(2)/2: minimax of degree 6 in relative error, 2e-9 (our own fit);
  // the
  // two lowest coefficients are 1.
  private static final float P2 = 0.4999999f;
  private static final float P3 = 0.16666418f;
  private static final float P4 = 0.041668233f;
  private static final float P5 = 8.374898e-3f;
  private static final float P6 = 1.3836739e-3f;

  private VectorMath() {}

  /// `a = e^a` within 2 ulp; 0 below -86.6; infinity above 88; NaN stays.
  ///
  /// With `x = n ln 2 + r`, a polynomial in r times `2^n`.
  static void exp(float[] a, int n) {
    FloatVector log2e = FloatVector.broadcast(S, LOG2_E);
    FloatVector round = FloatVector.broadcast(S, ROUND);
    FloatVector high = FloatVector.broadcast(S, -LN2_HIGH);
    FloatVector low = FloatVector.broadcast(S, -LN2_LOW);
    FloatVector p6 = FloatVector.broadcast(S, P6);
    FloatVector p5 = FloatVector.broadcast(S, P5);
    FloatVector p4 = FloatVector.broadcast(S, P4);
    FloatVector p3 = FloatVector.broadcast(S, P3);
    FloatVector p2 = FloatVector.broadcast(S, P2);
    FloatVector one = FloatVector.broadcast(S, 1f);
    FloatVector zero = FloatVector.zero(S);
    FloatVector infinity = FloatVector.broadcast(S, Float.POSITIVE_INFINITY);
    FloatVector smallest = FloatVector.broadcast(S, -SMALLEST);
    FloatVector largest = FloatVector.broadcast(S, LARGEST);
    int i = 0;
    for (; i + 2 * L <= n; i += 2 * L) {
      FloatVector x0 = FloatVector.fromArray(S, a, i);
      FloatVector x1 = FloatVector.fromArray(S, a, i + L);

      FloatVector z0 = x0.fma(log2e, round);
      FloatVector n0 = z0.sub(round);
      FloatVector r0 = n0.fma(low, n0.fma(high, x0));
      FloatVector y0 = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, one).fma(r0, one);
      y0 =
          y0.mul(
              z0.reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .add(EXPONENT_BIAS)
                  .reinterpretAsFloats());
      y0 =
          y0.blend(zero, x0.compare(VectorOperators.LT, smallest))
              .blend(infinity, x0.compare(VectorOperators.GT, largest));

      FloatVector z1 = x1.fma(log2e, round);
      FloatVector n1 = z1.sub(round);
      FloatVector r1 = n1.fma(low, n1.fma(high, x1));
      FloatVector y1 = p6.fma(r1, p5).fma(r1, p4).fma(r1, p3).fma(r1, p2).fma(r1, one).fma(r1, one);
      y1 =
          y1.mul(
              z1.reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .add(EXPONENT_BIAS)
                  .reinterpretAsFloats());
      y1 =
          y1.blend(zero, x1.compare(VectorOperators.LT, smallest))
              .blend(infinity, x1.compare(VectorOperators.GT, largest));

      y0.intoArray(a, i);
      y1.intoArray(a, i + L);
    }
    if (i < n) {
      FloatVector x0 = FloatVector.fromArray(S, a, i);

      FloatVector z0 = x0.fma(log2e, round);
      FloatVector n0 = z0.sub(round);
      FloatVector r0 = n0.fma(low, n0.fma(high, x0));
      FloatVector y0 = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, one).fma(r0, one);
      y0 =
          y0.mul(
              z0.reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .add(EXPONENT_BIAS)
                  .reinterpretAsFloats());
      y0 =
          y0.blend(zero, x0.compare(VectorOperators.LT, smallest))
              .blend(infinity, x0.compare(VectorOperators.GT, largest));

      y0.intoArray(a, i);
    }
  }

  /// `x = x / (1 + exp(-2 u))`, GELU in the tanh form with u the argument of the tanh.
  static void geluTanh(float[] x, int n) {
    FloatVector log2e = FloatVector.broadcast(S, LOG2_E);
    FloatVector round = FloatVector.broadcast(S, ROUND);
    FloatVector high = FloatVector.broadcast(S, -LN2_HIGH);
    FloatVector low = FloatVector.broadcast(S, -LN2_LOW);
    FloatVector p6 = FloatVector.broadcast(S, P6);
    FloatVector p5 = FloatVector.broadcast(S, P5);
    FloatVector p4 = FloatVector.broadcast(S, P4);
    FloatVector p3 = FloatVector.broadcast(S, P3);
    FloatVector p2 = FloatVector.broadcast(S, P2);
    FloatVector one = FloatVector.broadcast(S, 1f);
    FloatVector zero = FloatVector.zero(S);
    FloatVector smallest = FloatVector.broadcast(S, -SMALLEST);
    FloatVector linear = FloatVector.broadcast(S, (float) (-2 * Functions.TANH_LINEAR));
    FloatVector cubic =
        FloatVector.broadcast(S, (float) (-2 * Functions.TANH_LINEAR * Functions.TANH_CUBIC));
    FloatVector saturated = FloatVector.broadcast(S, SATURATED);
    FloatVector unsaturated = FloatVector.broadcast(S, -SATURATED);
    FloatVector infinity = FloatVector.broadcast(S, Float.POSITIVE_INFINITY);
    FloatVector largest = FloatVector.broadcast(S, LARGEST);
    int i = 0;
    for (; i + 2 * L <= n; i += 2 * L) {

      FloatVector a0 = FloatVector.fromArray(S, x, i);
      FloatVector v0 = a0.blend(saturated, a0.compare(VectorOperators.GT, saturated));
      v0 = v0.blend(unsaturated, v0.compare(VectorOperators.LT, unsaturated));
      FloatVector w0 = v0.mul(v0);
      FloatVector x0 = w0.fma(cubic, linear).mul(v0);

      FloatVector z0 = x0.fma(log2e, round);
      FloatVector n0 = z0.sub(round);
      FloatVector r0 = n0.fma(low, n0.fma(high, x0));
      FloatVector y0 = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, one).fma(r0, one);
      y0 =
          y0.mul(
              z0.reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .add(EXPONENT_BIAS)
                  .reinterpretAsFloats());
      y0 = y0.blend(zero, x0.compare(VectorOperators.LT, smallest));

      y0 = y0.blend(infinity, x0.compare(VectorOperators.GT, largest));
      a0.div(y0.add(one)).intoArray(x, i);

      FloatVector a1 = FloatVector.fromArray(S, x, i + L);
      FloatVector v1 = a1.blend(saturated, a1.compare(VectorOperators.GT, saturated));
      v1 = v1.blend(unsaturated, v1.compare(VectorOperators.LT, unsaturated));
      FloatVector w1 = v1.mul(v1);
      FloatVector x1 = w1.fma(cubic, linear).mul(v1);

      FloatVector z1 = x1.fma(log2e, round);
      FloatVector n1 = z1.sub(round);
      FloatVector r1 = n1.fma(low, n1.fma(high, x1));
      FloatVector y1 = p6.fma(r1, p5).fma(r1, p4).fma(r1, p3).fma(r1, p2).fma(r1, one).fma(r1, one);
      y1 =
          y1.mul(
              z1.reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .add(EXPONENT_BIAS)
                  .reinterpretAsFloats());
      y1 = y1.blend(zero, x1.compare(VectorOperators.LT, smallest));

      y1 = y1.blend(infinity, x1.compare(VectorOperators.GT, largest));
      a1.div(y1.add(one)).intoArray(x, i + L);
    }
    if (i < n) {

      FloatVector a0 = FloatVector.fromArray(S, x, i);
      FloatVector v0 = a0.blend(saturated, a0.compare(VectorOperators.GT, saturated));
      v0 = v0.blend(unsaturated, v0.compare(VectorOperators.LT, unsaturated));
      FloatVector w0 = v0.mul(v0);
      FloatVector x0 = w0.fma(cubic, linear).mul(v0);

      FloatVector z0 = x0.fma(log2e, round);
      FloatVector n0 = z0.sub(round);
      FloatVector r0 = n0.fma(low, n0.fma(high, x0));
      FloatVector y0 = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, one).fma(r0, one);
      y0 =
          y0.mul(
              z0.reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .add(EXPONENT_BIAS)
                  .reinterpretAsFloats());
      y0 = y0.blend(zero, x0.compare(VectorOperators.LT, smallest));

      y0 = y0.blend(infinity, x0.compare(VectorOperators.GT, largest));
      a0.div(y0.add(one)).intoArray(x, i);
    }
  }

  /// `g = g f'(x)` with f as in [#geluTanh].
  static void geluTanhBackward(float[] x, float[] g, int n) {
    FloatVector log2e = FloatVector.broadcast(S, LOG2_E);
    FloatVector round = FloatVector.broadcast(S, ROUND);
    FloatVector high = FloatVector.broadcast(S, -LN2_HIGH);
    FloatVector low = FloatVector.broadcast(S, -LN2_LOW);
    FloatVector p6 = FloatVector.broadcast(S, P6);
    FloatVector p5 = FloatVector.broadcast(S, P5);
    FloatVector p4 = FloatVector.broadcast(S, P4);
    FloatVector p3 = FloatVector.broadcast(S, P3);
    FloatVector p2 = FloatVector.broadcast(S, P2);
    FloatVector one = FloatVector.broadcast(S, 1f);
    FloatVector zero = FloatVector.zero(S);
    FloatVector smallest = FloatVector.broadcast(S, -SMALLEST);
    FloatVector linear = FloatVector.broadcast(S, (float) (-2 * Functions.TANH_LINEAR));
    FloatVector cubic =
        FloatVector.broadcast(S, (float) (-2 * Functions.TANH_LINEAR * Functions.TANH_CUBIC));
    FloatVector saturated = FloatVector.broadcast(S, SATURATED);
    FloatVector unsaturated = FloatVector.broadcast(S, -SATURATED);
    FloatVector most = FloatVector.broadcast(S, 80f); // the exponential's square must be finite
    FloatVector linearSlope = FloatVector.broadcast(S, (float) (2 * Functions.TANH_LINEAR));
    FloatVector cubicSlope =
        FloatVector.broadcast(S, (float) (6 * Functions.TANH_LINEAR * Functions.TANH_CUBIC));
    int i = 0;
    for (; i + 2 * L <= n; i += 2 * L) {

      FloatVector a0 = FloatVector.fromArray(S, x, i);
      FloatVector v0 = a0.blend(saturated, a0.compare(VectorOperators.GT, saturated));
      v0 = v0.blend(unsaturated, v0.compare(VectorOperators.LT, unsaturated));
      FloatVector w0 = v0.mul(v0);
      FloatVector x0 = w0.fma(cubic, linear).mul(v0);
      x0 = x0.blend(most, x0.compare(VectorOperators.GT, most));
      FloatVector z0 = x0.fma(log2e, round);
      FloatVector n0 = z0.sub(round);
      FloatVector r0 = n0.fma(low, n0.fma(high, x0));
      FloatVector y0 = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, one).fma(r0, one);
      y0 =
          y0.mul(
              z0.reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .add(EXPONENT_BIAS)
                  .reinterpretAsFloats());
      y0 = y0.blend(zero, x0.compare(VectorOperators.LT, smallest));

      FloatVector s0 = one.div(y0.add(one));
      FloatVector d0 = w0.fma(cubicSlope, linearSlope).mul(v0);
      d0 = y0.mul(s0).mul(s0).fma(d0, s0); // s + x u' s (1 - s)
      FloatVector.fromArray(S, g, i).mul(d0).intoArray(g, i);

      FloatVector a1 = FloatVector.fromArray(S, x, i + L);
      FloatVector v1 = a1.blend(saturated, a1.compare(VectorOperators.GT, saturated));
      v1 = v1.blend(unsaturated, v1.compare(VectorOperators.LT, unsaturated));
      FloatVector w1 = v1.mul(v1);
      FloatVector x1 = w1.fma(cubic, linear).mul(v1);
      x1 = x1.blend(most, x1.compare(VectorOperators.GT, most));
      FloatVector z1 = x1.fma(log2e, round);
      FloatVector n1 = z1.sub(round);
      FloatVector r1 = n1.fma(low, n1.fma(high, x1));
      FloatVector y1 = p6.fma(r1, p5).fma(r1, p4).fma(r1, p3).fma(r1, p2).fma(r1, one).fma(r1, one);
      y1 =
          y1.mul(
              z1.reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .add(EXPONENT_BIAS)
                  .reinterpretAsFloats());
      y1 = y1.blend(zero, x1.compare(VectorOperators.LT, smallest));

      FloatVector s1 = one.div(y1.add(one));
      FloatVector d1 = w1.fma(cubicSlope, linearSlope).mul(v1);
      d1 = y1.mul(s1).mul(s1).fma(d1, s1); // s + x u' s (1 - s)
      FloatVector.fromArray(S, g, i + L).mul(d1).intoArray(g, i + L);
    }
    if (i < n) {

      FloatVector a0 = FloatVector.fromArray(S, x, i);
      FloatVector v0 = a0.blend(saturated, a0.compare(VectorOperators.GT, saturated));
      v0 = v0.blend(unsaturated, v0.compare(VectorOperators.LT, unsaturated));
      FloatVector w0 = v0.mul(v0);
      FloatVector x0 = w0.fma(cubic, linear).mul(v0);
      x0 = x0.blend(most, x0.compare(VectorOperators.GT, most));
      FloatVector z0 = x0.fma(log2e, round);
      FloatVector n0 = z0.sub(round);
      FloatVector r0 = n0.fma(low, n0.fma(high, x0));
      FloatVector y0 = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, one).fma(r0, one);
      y0 =
          y0.mul(
              z0.reinterpretAsInts()
                  .lanewise(VectorOperators.LSHL, 23)
                  .add(EXPONENT_BIAS)
                  .reinterpretAsFloats());
      y0 = y0.blend(zero, x0.compare(VectorOperators.LT, smallest));

      FloatVector s0 = one.div(y0.add(one));
      FloatVector d0 = w0.fma(cubicSlope, linearSlope).mul(v0);
      d0 = y0.mul(s0).mul(s0).fma(d0, s0); // s + x u' s (1 - s)
      FloatVector.fromArray(S, g, i).mul(d0).intoArray(g, i);
    }
  }

  /// `e = -x^2 / 2`.
  private static void halfSquare(float[] x, float[] e, int n) {
    for (int i = 0; i < n; i += L) {
      FloatVector v = FloatVector.fromArray(S, x, i);
      v = v.blend(SATURATED, v.compare(VectorOperators.GT, SATURATED));
      v = v.blend(-SATURATED, v.compare(VectorOperators.LT, -SATURATED));
      v.mul(v).mul(-0.5f).intoArray(e, i);
    }
  }

  /// `x = x Phi(x)`, GELU in the erf form; or the derivative, `Phi(x) + x phi(x)`.
  ///
  /// The rounding error of the square under the exponential is made good, which keeps the tail's
  /// relative accuracy.
  ///
  /// @param aside as long
  /// @param slope 0 for the function, 1 for the derivative
  private static void erf(float[] x, float[] aside, int n, int slope) {
    FloatVector one = FloatVector.broadcast(S, 1f);
    FloatVector minusHalf = FloatVector.broadcast(S, -0.5f);
    FloatVector quarter = FloatVector.broadcast(S, 0.35355338f); // 1 / (2 sqrt(2))
    FloatVector density = FloatVector.broadcast(S, (float) Functions.NORMAL);
    FloatVector q0 = FloatVector.broadcast(S, Functions.ERFC0);
    FloatVector q1 = FloatVector.broadcast(S, Functions.ERFC1);
    FloatVector q2 = FloatVector.broadcast(S, Functions.ERFC2);
    FloatVector q3 = FloatVector.broadcast(S, Functions.ERFC3);
    FloatVector q4 = FloatVector.broadcast(S, Functions.ERFC4);
    FloatVector q5 = FloatVector.broadcast(S, Functions.ERFC5);
    FloatVector q6 = FloatVector.broadcast(S, Functions.ERFC6);
    FloatVector q7 = FloatVector.broadcast(S, Functions.ERFC7);
    FloatVector q8 = FloatVector.broadcast(S, Functions.ERFC8);
    FloatVector q9 = FloatVector.broadcast(S, Functions.ERFC9);
    for (int i = 0; i < n; i += L) {
      FloatVector raw = FloatVector.fromArray(S, x, i);
      FloatVector v = raw.blend(SATURATED, raw.compare(VectorOperators.GT, SATURATED));
      v = v.blend(-SATURATED, v.compare(VectorOperators.LT, -SATURATED));
      FloatVector e = FloatVector.fromArray(S, aside, i);
      FloatVector error = v.fma(v, v.mul(v).neg());
      FloatVector bell = e.mul(error).fma(minusHalf, e);
      FloatVector t = one.div(v.abs().fma(quarter, one));
      FloatVector q = q9.fma(t, q8).fma(t, q7).fma(t, q6).fma(t, q5).fma(t, q4);
      q = q.fma(t, q3).fma(t, q2).fma(t, q1).fma(t, q0).mul(t).mul(bell).mul(0.5f);
      FloatVector normal = q.blend(one.sub(q), v.compare(VectorOperators.GT, 0f));
      if (slope == 0) {
        raw.mul(normal).intoArray(x, i);
      } else {
        bell.mul(density).fma(v, normal).intoArray(x, i);
      }
    }
  }

  /// `x = x Phi(x)`, GELU in the erf form.
  ///
  /// @param aside as long
  static void geluErf(float[] x, float[] aside, int n) {
    halfSquare(x, aside, n);
    exp(aside, n);
    erf(x, aside, n, 0);
  }

  /// Replaces each x by the derivative of [#geluErf] there.
  ///
  /// @param aside as long
  static void geluErfSlope(float[] x, float[] aside, int n) {
    halfSquare(x, aside, n);
    exp(aside, n);
    erf(x, aside, n, 1);
  }
}
