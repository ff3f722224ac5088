package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.quern.core.AdamWSpec;

/// Elementwise kernels over segments. Offsets are bytes here. The last, incomplete vector goes
/// through the same arithmetic under a mask, so that a range's end does not show.
final class VectorElements {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final long STEP = (long) L * Float.BYTES;

  private VectorElements() {}

  /// {@return the bytes of so many floats, rounded down to whole vectors}
  static long whole(int count) {
    return (long) (count - count % L) * Float.BYTES;
  }

  /// {@return the lanes of the last vector that are in use}
  static VectorMask<Float> tail(int count) {
    return S.indexInRange(count - count % L, count);
  }

  static void fill(MemorySegment y, long at, int count, float value) {
    FloatVector v = FloatVector.broadcast(S, value);
    long end = whole(count);
    for (long i = 0; i < end; i += STEP) {
      v.intoMemorySegment(y, at + i, LE);
    }
    if (count % L > 0) {
      v.intoMemorySegment(y, at + end, LE, tail(count));
    }
  }

  static void add(
      MemorySegment y, long to, MemorySegment a, long left, MemorySegment b, long right, int n) {
    long end = whole(n);
    for (long i = 0; i < end; i += STEP) {
      FloatVector.fromMemorySegment(S, a, left + i, LE)
          .add(FloatVector.fromMemorySegment(S, b, right + i, LE))
          .intoMemorySegment(y, to + i, LE);
    }
    if (n % L > 0) {
      VectorMask<Float> m = tail(n);
      FloatVector.fromMemorySegment(S, a, left + end, LE, m)
          .add(FloatVector.fromMemorySegment(S, b, right + end, LE, m))
          .intoMemorySegment(y, to + end, LE, m);
    }
  }

  /// `y = alpha x`.
  static void scale(MemorySegment y, long to, float alpha, MemorySegment x, long from, int n) {
    long end = whole(n);
    for (long i = 0; i < end; i += STEP) {
      FloatVector.fromMemorySegment(S, x, from + i, LE).mul(alpha).intoMemorySegment(y, to + i, LE);
    }
    if (n % L > 0) {
      VectorMask<Float> m = tail(n);
      FloatVector.fromMemorySegment(S, x, from + end, LE, m)
          .mul(alpha)
          .intoMemorySegment(y, to + end, LE, m);
    }
  }

  /// `y += alpha x`.
  static void addScaled(MemorySegment y, long to, float alpha, MemorySegment x, long from, int n) {
    FloatVector factor = FloatVector.broadcast(S, alpha);
    long end = whole(n);
    for (long i = 0; i < end; i += STEP) {
      FloatVector.fromMemorySegment(S, x, from + i, LE)
          .fma(factor, FloatVector.fromMemorySegment(S, y, to + i, LE))
          .intoMemorySegment(y, to + i, LE);
    }
    if (n % L > 0) {
      VectorMask<Float> m = tail(n);
      FloatVector.fromMemorySegment(S, x, from + end, LE, m)
          .fma(factor, FloatVector.fromMemorySegment(S, y, to + end, LE, m))
          .intoMemorySegment(y, to + end, LE, m);
    }
  }

  /// `x * factor`, and 0 where the factor is 0, even for a value that is not finite.
  private static FloatVector drop(FloatVector x, FloatVector factor) {
    return x.mul(factor).blend(0f, factor.compare(VectorOperators.EQ, 0f));
  }

  /// `y = drop(x)`.
  static void dropout(MemorySegment y, MemorySegment x, long at, int n, float[] factors) {
    long end = whole(n);
    int j = 0;
    for (long i = 0; i < end; i += STEP, j += L) {
      drop(FloatVector.fromMemorySegment(S, x, at + i, LE), FloatVector.fromArray(S, factors, j))
          .intoMemorySegment(y, at + i, LE);
    }
    if (n % L > 0) {
      VectorMask<Float> m = tail(n);
      drop(
              FloatVector.fromMemorySegment(S, x, at + end, LE, m),
              FloatVector.fromArray(S, factors, j, m))
          .intoMemorySegment(y, at + end, LE, m);
    }
  }

  /// `y += drop(x)`.
  static void addDropout(MemorySegment y, MemorySegment x, long at, int n, float[] factors) {
    long end = whole(n);
    int j = 0;
    for (long i = 0; i < end; i += STEP, j += L) {
      drop(FloatVector.fromMemorySegment(S, x, at + i, LE), FloatVector.fromArray(S, factors, j))
          .add(FloatVector.fromMemorySegment(S, y, at + i, LE))
          .intoMemorySegment(y, at + i, LE);
    }
    if (n % L > 0) {
      VectorMask<Float> m = tail(n);
      drop(
              FloatVector.fromMemorySegment(S, x, at + end, LE, m),
              FloatVector.fromArray(S, factors, j, m))
          .add(FloatVector.fromMemorySegment(S, y, at + end, LE, m))
          .intoMemorySegment(y, at + end, LE, m);
    }
  }

  /// The sum of squares in four vectors of lanes, then lane by lane in f64.
  static double sumOfSquares(float[] lanes, MemorySegment x, long at, int n) {
    FloatVector a = FloatVector.zero(S);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long end = whole(n);
    long i = 0;
    for (; i + 4 * STEP <= end; i += 4 * STEP) {
      FloatVector u = FloatVector.fromMemorySegment(S, x, at + i, LE);
      FloatVector v = FloatVector.fromMemorySegment(S, x, at + i + STEP, LE);
      FloatVector w = FloatVector.fromMemorySegment(S, x, at + i + 2 * STEP, LE);
      FloatVector z = FloatVector.fromMemorySegment(S, x, at + i + 3 * STEP, LE);
      a = u.fma(u, a);
      b = v.fma(v, b);
      c = w.fma(w, c);
      d = z.fma(z, d);
    }
    for (; i < end; i += STEP) {
      FloatVector u = FloatVector.fromMemorySegment(S, x, at + i, LE);
      a = u.fma(u, a);
    }
    if (n % L > 0) {
      FloatVector u = FloatVector.fromMemorySegment(S, x, at + end, LE, tail(n));
      b = u.fma(u, b);
    }
    a.add(b).add(c.add(d)).intoArray(lanes, 0);
    return Lanes.sumWide(lanes, 0);
  }

  static void adamW(
      MemorySegment w,
      MemorySegment m,
      MemorySegment v,
      MemorySegment g,
      long at,
      int n,
      AdamWSpec spec) {
    long end = whole(n);
    adamWhole(w, m, v, g, at, at + end, spec);
    if (n % L > 0) {
      adamTail(w, m, v, g, at + end, tail(n), spec);
    }
  }

  /// A moment that fades below the normal numbers is 0: without gradients it would stay a subnormal
  /// for good, since half a unit rounds up, and most processors are slow at those.
  private static void adamWhole(
      MemorySegment w,
      MemorySegment m,
      MemorySegment v,
      MemorySegment g,
      long at,
      long end,
      AdamWSpec spec) {
    FloatVector beta1 = FloatVector.broadcast(S, spec.beta1());
    FloatVector beta2 = FloatVector.broadcast(S, spec.beta2());
    float rest1 = 1 - spec.beta1();
    float rest2 = 1 - spec.beta2();
    float rate = -spec.learningRate() / spec.correction1();
    float inverse = 1 / spec.correction2();
    float epsilon = spec.epsilon();
    float gradScale = spec.gradScale();
    FloatVector keep = FloatVector.broadcast(S, 1 - spec.learningRate() * spec.weightDecay());
    FloatVector zero = FloatVector.zero(S);
    for (long i = at; i < end; i += STEP) {
      FloatVector d = FloatVector.fromMemorySegment(S, g, i, LE).mul(gradScale);
      FloatVector first = FloatVector.fromMemorySegment(S, m, i, LE).fma(beta1, d.mul(rest1));
      FloatVector second =
          FloatVector.fromMemorySegment(S, v, i, LE).fma(beta2, d.mul(d).mul(rest2));
      first = first.blend(zero, first.abs().compare(VectorOperators.LT, Float.MIN_NORMAL));
      second = second.blend(zero, second.compare(VectorOperators.LT, Float.MIN_NORMAL));
      first.intoMemorySegment(m, i, LE);
      second.intoMemorySegment(v, i, LE);
      FloatVector root = second.mul(inverse).lanewise(VectorOperators.SQRT).add(epsilon);
      FloatVector.fromMemorySegment(S, w, i, LE)
          .fma(keep, first.mul(rate).div(root))
          .intoMemorySegment(w, i, LE);
    }
  }

  private static void adamTail(
      MemorySegment w,
      MemorySegment m,
      MemorySegment v,
      MemorySegment g,
      long i,
      VectorMask<Float> k,
      AdamWSpec spec) {
    FloatVector beta1 = FloatVector.broadcast(S, spec.beta1());
    FloatVector beta2 = FloatVector.broadcast(S, spec.beta2());
    float rate = -spec.learningRate() / spec.correction1();
    float inverse = 1 / spec.correction2();
    FloatVector keep = FloatVector.broadcast(S, 1 - spec.learningRate() * spec.weightDecay());
    FloatVector d = FloatVector.fromMemorySegment(S, g, i, LE, k).mul(spec.gradScale());
    FloatVector first =
        FloatVector.fromMemorySegment(S, m, i, LE, k).fma(beta1, d.mul(1 - spec.beta1()));
    FloatVector second =
        FloatVector.fromMemorySegment(S, v, i, LE, k).fma(beta2, d.mul(d).mul(1 - spec.beta2()));
    first = first.blend(0, first.abs().compare(VectorOperators.LT, Float.MIN_NORMAL));
    second = second.blend(0, second.compare(VectorOperators.LT, Float.MIN_NORMAL));
    first.intoMemorySegment(m, i, LE, k);
    second.intoMemorySegment(v, i, LE, k);
    FloatVector root = second.mul(inverse).lanewise(VectorOperators.SQRT).add(spec.epsilon());
    FloatVector.fromMemorySegment(S, w, i, LE, k)
        .fma(keep, first.mul(rate).div(root))
        .intoMemorySegment(w, i, LE, k);
  }
}
