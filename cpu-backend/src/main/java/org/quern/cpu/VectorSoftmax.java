package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/// Softmax and cross entropy of a row, through arrays. What an array has behind a row's end is a
/// number whose exponential is 0. Offsets are elements.
final class VectorSoftmax {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final int L = S.length();

  /// The elements of a row of logits that are worked on at once: they stay in the first-level
  /// cache.
  private static final int BLOCK = 4096;

  // The arrays of a scratch.
  private static final int VALUES = 4;
  private static final int GRADIENT = 5;
  private static final int LANES = 6;

  private VectorSoftmax() {}

  private static int whole(int n) {
    return CpuOps.parts(n, L) * L;
  }

  /// Reads a row, or a part of it, and fills the last vector up with what is no maximum.
  private static float[] load(Scratch scratch, MemorySegment x, long at, int n) {
    int whole = whole(n);
    float[] out = scratch.floats(VALUES, whole);
    Native.load(out, 0, x, at, n);
    Arrays.fill(out, n, whole, Float.NEGATIVE_INFINITY);
    return out;
  }

  /// {@return the largest element, NaN left aside}
  private static float max(float[] x, int n) {
    FloatVector a = FloatVector.broadcast(S, Float.NEGATIVE_INFINITY);
    FloatVector b = a;
    int i = 0;
    for (; i + 2 * L <= n; i += 2 * L) {
      FloatVector u = FloatVector.fromArray(S, x, i);
      FloatVector v = FloatVector.fromArray(S, x, i + L);
      a = a.blend(u, u.compare(VectorOperators.GT, a));
      b = b.blend(v, v.compare(VectorOperators.GT, b));
    }
    if (i < n) {
      FloatVector u = FloatVector.fromArray(S, x, i);
      a = a.blend(u, u.compare(VectorOperators.GT, a));
    }
    return a.blend(b, b.compare(VectorOperators.GT, a)).reduceLanes(VectorOperators.MAX);
  }

  /// `x = exp(scale x - shift)`, and 0 behind the row's end.
  private static void exponentials(float[] x, int n, float scale, float shift) {
    int whole = whole(n);
    shift(x, whole, scale, shift);
    Arrays.fill(x, n, whole, Float.NEGATIVE_INFINITY);
    VectorMath.exp(x, whole);
  }

  private static void shift(float[] x, int n, float scale, float shift) {
    FloatVector factor = FloatVector.broadcast(S, scale);
    FloatVector minus = FloatVector.broadcast(S, -shift);
    for (int i = 0; i < n; i += L) {
      FloatVector.fromArray(S, x, i).fma(factor, minus).intoArray(x, i);
    }
  }

  private static double sum(Scratch scratch, float[] x, int n) {
    float[] lanes = scratch.floats(LANES, L);
    FloatVector a = FloatVector.zero(S);
    FloatVector b = a;
    int i = 0;
    for (; i + 2 * L <= n; i += 2 * L) {
      a = a.add(FloatVector.fromArray(S, x, i));
      b = b.add(FloatVector.fromArray(S, x, i + L));
    }
    if (i < n) {
      a = a.add(FloatVector.fromArray(S, x, i));
    }
    a.add(b).intoArray(lanes, 0);
    return Lanes.sumWide(lanes, 0);
  }

  /// `x = x factor`, and 0 where that is below the normal numbers: what works with weights or
  /// gradients next would be slow at those. Behind the end x is 0.
  private static void scale(float[] x, int n, float factor) {
    FloatVector zero = FloatVector.zero(S);
    for (int i = 0; i < n; i += L) {
      FloatVector y = FloatVector.fromArray(S, x, i).mul(factor);
      y.blend(zero, y.abs().compare(VectorOperators.LT, Float.MIN_NORMAL)).intoArray(x, i);
    }
  }

  /// A dropped value is 0 even where it was not finite.
  private static void drop(float[] x, float @Nullable [] factors, int n) {
    if (factors != null) {
      for (int i = 0; i < n; i++) {
        x[i] = factors[i] == 0 ? 0 : x[i] * factors[i];
      }
    }
  }

  /// [Kernels#softmaxRow].
  static float softmax(
      Scratch scratch,
      MemorySegment y,
      MemorySegment x,
      long at,
      int n,
      float scale,
      float @Nullable [] factors) {
    float[] row = load(scratch, x, at, n);
    int whole = whole(n);
    // A negative scale, which no model has, only loses the protection from overflow.
    float max = max(row, whole) * scale;
    exponentials(row, n, scale, max);
    double sum = sum(scratch, row, whole);
    scale(row, n, (float) (1 / sum));
    drop(row, factors, n);
    Native.store(y, at, row, 0, n);
    return (float) (max + Math.log(sum));
  }

  /// [Kernels#softmaxBackwardRow]; the gradient stays in the array that is returned.
  static float[] softmaxBackward(
      Scratch scratch,
      MemorySegment dy,
      MemorySegment x,
      long at,
      int n,
      float scale,
      float lse,
      float @Nullable [] factors) {
    int whole = whole(n);
    float[] p = load(scratch, x, at, n);
    float[] dp = scratch.floats(GRADIENT, whole);
    Native.load(dp, 0, dy, at, n);
    Arrays.fill(dp, n, whole, 0);
    drop(dp, factors, n);
    exponentials(p, n, scale, lse);
    gradient(p, dp, n, scale, dot(scratch, p, dp, whole));
    return p;
  }

  private static float dot(Scratch scratch, float[] p, float[] dp, int n) {
    float[] lanes = scratch.floats(LANES, L);
    FloatVector a = FloatVector.zero(S);
    for (int i = 0; i < n; i += L) {
      a = FloatVector.fromArray(S, p, i).fma(FloatVector.fromArray(S, dp, i), a);
    }
    a.intoArray(lanes, 0);
    return Lanes.sum(lanes, 0);
  }

  private static void gradient(float[] p, float[] dp, int n, float scale, float dot) {
    for (int i = 0; i < n; i++) {
      p[i] = p[i] * (dp[i] - dot) * scale;
    }
  }

  /// [Kernels#crossEntropyRow] in two passes over the row: the maximum and the sum block by block
  /// (Milakov and Gimelshein, arXiv:1805.02867), then the gradient. A row of one block is read
  /// once.
  static float crossEntropy(
      Scratch scratch,
      @Nullable MemorySegment dx,
      MemorySegment x,
      long at,
      int n,
      int target,
      float scale) {
    float wanted = Native.get(x, at + target);
    float max = Float.NEGATIVE_INFINITY;
    double sum = 0;
    for (int i = 0; i < n; i += BLOCK) {
      int count = Math.min(BLOCK, n - i);
      int whole = whole(count);
      float[] part = load(scratch, x, at + i, count);
      float here = max(part, whole);
      if (here > max) {
        sum *= Math.exp((double) max - here);
        max = here;
      }
      if (max > Float.NEGATIVE_INFINITY) { // else there is nothing to take the logits relative to
        exponentials(part, count, 1, max);
        sum += sum(scratch, part, whole);
      }
    }
    if (dx != null) {
      float factor = (float) (scale / sum);
      for (int i = 0; i < n; i += BLOCK) {
        int count = Math.min(BLOCK, n - i);
        float[] part;
        if (n <= BLOCK) {
          part = scratch.floats(VALUES, whole(n)); // the exponentials are still there
        } else {
          part = load(scratch, x, at + i, count);
          exponentials(part, count, 1, max);
        }
        scale(part, count, factor);
        if (target >= i && target < i + count) {
          part[target - i] -= scale;
        }
        Native.store(dx, at + i, part, 0, count);
      }
    }
    return (float) (Math.log(sum) + ((double) max - wanted));
  }
}
