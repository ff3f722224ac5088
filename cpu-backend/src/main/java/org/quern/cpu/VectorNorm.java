package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/// Kernels of layer normalization and of column sums. Offsets are bytes.
final class VectorNorm {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final long STEP = (long) L * Float.BYTES;

  private VectorNorm() {}

  /// {@return the sum of a row}
  static double sum(float[] lanes, MemorySegment x, long at, int n) {
    FloatVector a = FloatVector.zero(S);
    FloatVector b = a;
    long end = at + VectorElements.whole(n);
    long i = at;
    for (; i + 2 * STEP <= end; i += 2 * STEP) {
      a = a.add(FloatVector.fromMemorySegment(S, x, i, LE));
      b = b.add(FloatVector.fromMemorySegment(S, x, i + STEP, LE));
    }
    if (i < end) {
      a = a.add(FloatVector.fromMemorySegment(S, x, i, LE));
    }
    if (n % L > 0) {
      b = b.add(FloatVector.fromMemorySegment(S, x, end, LE, VectorElements.tail(n)));
    }
    a.add(b).intoArray(lanes, 0);
    return Lanes.sumWide(lanes, 0);
  }

  /// {@return the sum of the squared distances of a row from `mean`}
  static double squares(float[] lanes, MemorySegment x, long at, int n, float mean) {
    FloatVector m = FloatVector.broadcast(S, mean);
    FloatVector a = FloatVector.zero(S);
    FloatVector b = a;
    long end = at + VectorElements.whole(n);
    long i = at;
    for (; i + 2 * STEP <= end; i += 2 * STEP) {
      FloatVector d = FloatVector.fromMemorySegment(S, x, i, LE).sub(m);
      FloatVector e = FloatVector.fromMemorySegment(S, x, i + STEP, LE).sub(m);
      a = d.fma(d, a);
      b = e.fma(e, b);
    }
    if (i < end) {
      FloatVector d = FloatVector.fromMemorySegment(S, x, i, LE).sub(m);
      a = d.fma(d, a);
    }
    if (n % L > 0) {
      VectorMask<Float> k = VectorElements.tail(n);
      FloatVector d = FloatVector.fromMemorySegment(S, x, end, LE, k).sub(m).blend(0f, k.not());
      b = d.fma(d, b);
    }
    a.add(b).intoArray(lanes, 0);
    return Lanes.sumWide(lanes, 0);
  }

  /// `y = (x - mean) rstd gamma + beta` for one row.
  static void normalize(
      MemorySegment y,
      MemorySegment x,
      long at,
      int n,
      float mean,
      float rstd,
      MemorySegment gamma,
      @Nullable MemorySegment beta) {
    if (beta == null) {
      normalize(y, x, at, n, mean, rstd, gamma);
      return;
    }
    long end = VectorElements.whole(n);
    for (long i = 0; i < end; i += STEP) {
      FloatVector.fromMemorySegment(S, x, at + i, LE)
          .sub(mean)
          .mul(rstd)
          .fma(
              FloatVector.fromMemorySegment(S, gamma, i, LE),
              FloatVector.fromMemorySegment(S, beta, i, LE))
          .intoMemorySegment(y, at + i, LE);
    }
    if (n % L > 0) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector.fromMemorySegment(S, x, at + end, LE, m)
          .sub(mean)
          .mul(rstd)
          .fma(
              FloatVector.fromMemorySegment(S, gamma, end, LE, m),
              FloatVector.fromMemorySegment(S, beta, end, LE, m))
          .intoMemorySegment(y, at + end, LE, m);
    }
  }

  private static void normalize(
      MemorySegment y,
      MemorySegment x,
      long at,
      int n,
      float mean,
      float rstd,
      MemorySegment gamma) {
    long end = VectorElements.whole(n);
    for (long i = 0; i < end; i += STEP) {
      FloatVector.fromMemorySegment(S, x, at + i, LE)
          .sub(mean)
          .mul(rstd)
          .mul(FloatVector.fromMemorySegment(S, gamma, i, LE))
          .intoMemorySegment(y, at + i, LE);
    }
    if (n % L > 0) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector.fromMemorySegment(S, x, at + end, LE, m)
          .sub(mean)
          .mul(rstd)
          .mul(FloatVector.fromMemorySegment(S, gamma, end, LE, m))
          .intoMemorySegment(y, at + end, LE, m);
    }
  }

  /// The two sums of the backward of a row: `e = dy gamma` in the first vector of `lanes`, `e xhat`
  /// in the second.
  static void backwardSums(
      float[] lanes,
      MemorySegment dy,
      MemorySegment x,
      long at,
      int n,
      float mean,
      float rstd,
      MemorySegment gamma) {
    FloatVector sum = FloatVector.zero(S);
    FloatVector dot = sum;
    long end = VectorElements.whole(n);
    for (long i = 0; i < end; i += STEP) {
      FloatVector e =
          FloatVector.fromMemorySegment(S, dy, at + i, LE)
              .mul(FloatVector.fromMemorySegment(S, gamma, i, LE));
      FloatVector xhat = FloatVector.fromMemorySegment(S, x, at + i, LE).sub(mean).mul(rstd);
      sum = sum.add(e);
      dot = e.fma(xhat, dot);
    }
    if (n % L > 0) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector e =
          FloatVector.fromMemorySegment(S, dy, at + end, LE, m)
              .mul(FloatVector.fromMemorySegment(S, gamma, end, LE, m));
      FloatVector xhat = FloatVector.fromMemorySegment(S, x, at + end, LE, m).sub(mean).mul(rstd);
      sum = sum.add(e);
      dot = e.fma(xhat, dot); // e is 0 in the lanes that are not in use
    }
    sum.intoArray(lanes, 0);
    dot.intoArray(lanes, L);
  }

  /// `dx = rstd (dy gamma - a - xhat b)`.
  ///
  /// @param shift how much further on dx's row starts
  static void backward(
      MemorySegment dx,
      long shift,
      MemorySegment dy,
      MemorySegment x,
      long at,
      int n,
      float mean,
      float rstd,
      MemorySegment gamma,
      float a,
      float b) {
    FloatVector minusB = FloatVector.broadcast(S, -b);
    FloatVector minusA = FloatVector.broadcast(S, -a);
    long end = VectorElements.whole(n);
    for (long i = 0; i < end; i += STEP) {
      FloatVector xhat = FloatVector.fromMemorySegment(S, x, at + i, LE).sub(mean).mul(rstd);
      FloatVector.fromMemorySegment(S, dy, at + i, LE)
          .mul(FloatVector.fromMemorySegment(S, gamma, i, LE)) // rounded, as in the sums
          .add(xhat.fma(minusB, minusA))
          .mul(rstd)
          .intoMemorySegment(dx, at + shift + i, LE);
    }
    if (n % L > 0) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector xhat = FloatVector.fromMemorySegment(S, x, at + end, LE, m).sub(mean).mul(rstd);
      FloatVector.fromMemorySegment(S, dy, at + end, LE, m)
          .mul(FloatVector.fromMemorySegment(S, gamma, end, LE, m))
          .add(xhat.fma(minusB, minusA))
          .mul(rstd)
          .intoMemorySegment(dx, at + shift + end, LE, m);
    }
  }

  /// Column sums of four vectors' width, rows in order, to an array.
  static void sumRows4(float[] out, int to, MemorySegment x, long at, long stride, int rows) {
    FloatVector a = FloatVector.zero(S);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector d = a;
    long p = at;
    for (int row = 0; row < rows; row++, p += stride) {
      a = a.add(FloatVector.fromMemorySegment(S, x, p, LE));
      b = b.add(FloatVector.fromMemorySegment(S, x, p + STEP, LE));
      c = c.add(FloatVector.fromMemorySegment(S, x, p + 2 * STEP, LE));
      d = d.add(FloatVector.fromMemorySegment(S, x, p + 3 * STEP, LE));
    }
    a.intoArray(out, to);
    b.intoArray(out, to + L);
    c.intoArray(out, to + 2 * L);
    d.intoArray(out, to + 3 * L);
  }

  /// Column sums of up to one vector's width.
  static void sumRows1(
      float[] out, int to, MemorySegment x, long at, long stride, int rows, int columns) {
    VectorMask<Float> m = S.indexInRange(0, columns);
    FloatVector a = FloatVector.zero(S);
    long p = at;
    for (int row = 0; row < rows; row++, p += stride) {
      a = a.add(FloatVector.fromMemorySegment(S, x, p, LE, m));
    }
    a.intoArray(out, to);
  }

  /// `dgamma` and `dbeta` of two vectors' width, rows in order, to arrays.
  static void backwardColumns2(
      float[] gammas,
      float[] betas,
      int to,
      MemorySegment dy,
      MemorySegment x,
      long at,
      long stride,
      float[] mean,
      float[] rstd) {
    FloatVector g0 = FloatVector.zero(S);
    FloatVector g1 = g0;
    FloatVector b0 = g0;
    FloatVector b1 = g0;
    long p = at;
    for (int row = 0; row < mean.length; row++, p += stride) {
      FloatVector d0 = FloatVector.fromMemorySegment(S, dy, p, LE);
      FloatVector d1 = FloatVector.fromMemorySegment(S, dy, p + STEP, LE);
      FloatVector m = FloatVector.broadcast(S, mean[row]);
      FloatVector r = FloatVector.broadcast(S, rstd[row]);
      g0 = d0.fma(FloatVector.fromMemorySegment(S, x, p, LE).sub(m).mul(r), g0);
      g1 = d1.fma(FloatVector.fromMemorySegment(S, x, p + STEP, LE).sub(m).mul(r), g1);
      b0 = b0.add(d0);
      b1 = b1.add(d1);
    }
    g0.intoArray(gammas, to);
    g1.intoArray(gammas, to + L);
    b0.intoArray(betas, to);
    b1.intoArray(betas, to + L);
  }

  /// `dgamma` and `dbeta` of up to one vector's width.
  static void backwardColumns1(
      float[] gammas,
      float[] betas,
      int to,
      MemorySegment dy,
      MemorySegment x,
      long at,
      long stride,
      float[] mean,
      float[] rstd,
      int columns) {
    VectorMask<Float> k = S.indexInRange(0, columns);
    FloatVector g = FloatVector.zero(S);
    FloatVector b = g;
    long p = at;
    for (int row = 0; row < mean.length; row++, p += stride) {
      FloatVector d = FloatVector.fromMemorySegment(S, dy, p, LE, k);
      FloatVector xhat =
          FloatVector.fromMemorySegment(S, x, p, LE, k).sub(mean[row]).mul(rstd[row]);
      g = d.fma(xhat, g);
      b = b.add(d);
    }
    g.intoArray(gammas, to);
    b.intoArray(betas, to);
  }
}
