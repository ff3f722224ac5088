package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/// Kernels of softmax and cross entropy. Offsets are bytes.
final class VectorSoftmax {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final long STEP = (long) L * Float.BYTES;

  /// The elements of a row whose maximum is taken before their exponentials: they stay in the
  /// first-level cache.
  private static final int BLOCK = 4096;

  private VectorSoftmax() {}

  private static FloatVector larger(FloatVector a, FloatVector b) {
    return a.blend(b, b.compare(VectorOperators.GT, a));
  }

  /// {@return the largest element, NaN left aside}
  private static float max(MemorySegment x, long at, int n) {
    FloatVector a = FloatVector.broadcast(S, Float.NEGATIVE_INFINITY);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long end = at + VectorElements.whole(n);
    long i = at;
    for (; i + 4 * STEP <= end; i += 4 * STEP) {
      a = larger(a, FloatVector.fromMemorySegment(S, x, i, LE));
      b = larger(b, FloatVector.fromMemorySegment(S, x, i + STEP, LE));
      c = larger(c, FloatVector.fromMemorySegment(S, x, i + 2 * STEP, LE));
      d = larger(d, FloatVector.fromMemorySegment(S, x, i + 3 * STEP, LE));
    }
    for (; i < end; i += STEP) {
      a = larger(a, FloatVector.fromMemorySegment(S, x, i, LE));
    }
    if (n % L > 0) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector v = FloatVector.fromMemorySegment(S, x, end, LE, m);
      b = larger(b, v.blend(Float.NEGATIVE_INFINITY, m.not()));
    }
    return larger(larger(a, b), larger(c, d)).reduceLanes(VectorOperators.MAX);
  }

  /// `y = exp(scale x - shift)`, in lanes of sums.
  private static void exponentials(
      MemorySegment y, float[] lanes, MemorySegment x, long at, int n, float scale, float shift) {
    FloatVector factor = FloatVector.broadcast(S, scale);
    FloatVector minus = FloatVector.broadcast(S, -shift);
    FloatVector sum = FloatVector.zero(S);
    long end = at + VectorElements.whole(n);
    for (long i = at; i < end; i += STEP) {
      FloatVector e =
          VectorMath.expSmall(FloatVector.fromMemorySegment(S, x, i, LE).fma(factor, minus));
      e.intoMemorySegment(y, i, LE);
      sum = sum.add(e);
    }
    if (n % L > 0) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector e =
          VectorMath.expSmall(FloatVector.fromMemorySegment(S, x, end, LE, m).fma(factor, minus));
      e.intoMemorySegment(y, end, LE, m);
      sum = sum.add(e.blend(0f, m.not()));
    }
    sum.intoArray(lanes, 0);
  }

  /// [Kernels#softmaxRow].
  static float softmax(
      float[] lanes,
      MemorySegment y,
      MemorySegment x,
      long at,
      int n,
      float scale,
      float @Nullable [] factors) {
    // A negative scale, which no model has, only loses the protection from overflow.
    float max = max(x, at, n) * scale;
    exponentials(y, lanes, x, at, n, scale, max);
    double sum = Lanes.sumWide(lanes, 0);
    VectorElements.scale(y, at, (float) (1 / sum), y, at, n);
    if (factors != null) {
      VectorElements.dropout(y, y, at, n, factors);
    }
    return (float) (max + Math.log(sum));
  }

  /// [Kernels#softmaxBackwardRow].
  ///
  /// @param p takes the weights
  /// @param dp takes the gradients of the weights
  /// @param shift how much further on dx's row starts
  static void softmaxBackward(
      float[] lanes,
      float[] p,
      float[] dp,
      MemorySegment dx,
      long shift,
      MemorySegment dy,
      MemorySegment x,
      long at,
      int n,
      float scale,
      float lse,
      float @Nullable [] factors) {
    Native.load(dp, 0, dy, at / Float.BYTES, n);
    if (factors != null) {
      drop(dp, factors, n);
    }
    weights(lanes, p, dp, x, at, n, scale, lse);
    difference(dx, at + shift, p, dp, n, scale, Lanes.sum(lanes, 0));
  }

  private static void drop(float[] dp, float[] factors, int n) {
    for (int j = 0; j < n; j++) {
      dp[j] = factors[j] == 0 ? 0 : dp[j] * factors[j];
    }
  }

  private static void weights(
      float[] lanes,
      float[] p,
      float[] dp,
      MemorySegment x,
      long at,
      int n,
      float scale,
      float lse) {
    FloatVector factor = FloatVector.broadcast(S, scale);
    FloatVector minus = FloatVector.broadcast(S, -lse);
    FloatVector dot = FloatVector.zero(S);
    long i = at;
    int j = 0;
    for (; j + L <= n; i += STEP, j += L) {
      FloatVector e =
          VectorMath.expSmall(FloatVector.fromMemorySegment(S, x, i, LE).fma(factor, minus));
      e.intoArray(p, j);
      dot = e.fma(FloatVector.fromArray(S, dp, j), dot);
    }
    if (j < n) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector e =
          VectorMath.expSmall(FloatVector.fromMemorySegment(S, x, i, LE, m).fma(factor, minus));
      e.intoArray(p, j, m);
      dot = e.blend(0f, m.not()).fma(FloatVector.fromArray(S, dp, j, m), dot);
    }
    dot.intoArray(lanes, 0);
  }

  private static void difference(
      MemorySegment dx, long at, float[] p, float[] dp, int n, float scale, float dot) {
    long i = at;
    int j = 0;
    for (; j + L <= n; i += STEP, j += L) {
      FloatVector.fromArray(S, dp, j)
          .sub(dot)
          .mul(FloatVector.fromArray(S, p, j))
          .mul(scale)
          .intoMemorySegment(dx, i, LE);
    }
    if (j < n) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector.fromArray(S, dp, j, m)
          .sub(dot)
          .mul(FloatVector.fromArray(S, p, j, m))
          .mul(scale)
          .intoMemorySegment(dx, i, LE, m);
    }
  }

  /// The sum of `exp(x - shift)`.
  private static double sumExponentials(
      float[] lanes, MemorySegment x, long at, int n, float shift) {
    FloatVector minus = FloatVector.broadcast(S, shift);
    FloatVector sum = FloatVector.zero(S);
    long end = at + VectorElements.whole(n);
    for (long i = at; i < end; i += STEP) {
      sum = sum.add(VectorMath.expSmall(FloatVector.fromMemorySegment(S, x, i, LE).sub(minus)));
    }
    if (n % L > 0) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector e =
          VectorMath.expSmall(FloatVector.fromMemorySegment(S, x, end, LE, m).sub(minus));
      sum = sum.add(e.blend(0f, m.not()));
    }
    sum.intoArray(lanes, 0);
    return Lanes.sumWide(lanes, 0);
  }

  /// `dx = factor exp(x - shift)`.
  private static void gradient(
      MemorySegment dx, MemorySegment x, long at, int n, float shift, float factor) {
    FloatVector minus = FloatVector.broadcast(S, shift);
    long end = at + VectorElements.whole(n);
    for (long i = at; i < end; i += STEP) {
      VectorMath.expSmall(FloatVector.fromMemorySegment(S, x, i, LE).sub(minus))
          .mul(factor)
          .intoMemorySegment(dx, i, LE);
    }
    if (n % L > 0) {
      VectorMask<Float> m = VectorElements.tail(n);
      VectorMath.expSmall(FloatVector.fromMemorySegment(S, x, end, LE, m).sub(minus))
          .mul(factor)
          .intoMemorySegment(dx, end, LE, m);
    }
  }

  /// [Kernels#crossEntropyRow] in two passes over the row: the maximum and the sum block by block
  /// (Milakov and Gimelshein, arXiv:1805.02867), then the gradient.
  static float crossEntropy(
      float[] lanes,
      @Nullable MemorySegment dx,
      MemorySegment x,
      long at,
      int n,
      int target,
      float scale) {
    float wanted = Native.get(x, at / Float.BYTES + target);
    float max = Float.NEGATIVE_INFINITY;
    double sum = 0;
    for (int j = 0; j < n; j += BLOCK) {
      int count = Math.min(BLOCK, n - j);
      long from = at + (long) j * Float.BYTES;
      float here = max(x, from, count);
      if (here > max) {
        sum *= Math.exp((double) max - here);
        max = here;
      }
      if (max > Float.NEGATIVE_INFINITY) { // else there is nothing to take the logits relative to
        sum += sumExponentials(lanes, x, from, count, max);
      }
    }
    if (dx != null) {
      gradient(dx, x, at, n, max, (float) (scale / sum));
      long hit = at / Float.BYTES + target;
      Native.set(dx, hit, Native.get(dx, hit) - scale);
    }
    return (float) (Math.log(sum) + ((double) max - wanted));
  }
}
