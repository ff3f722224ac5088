package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.quern.core.Sink;

/// Products of a few rows with the rows of a matrix that is not packed: reading it once is all that
/// there is to do.
final class RowDots {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final int TOGETHER = 4;

  // The arrays of a scratch.
  private static final int LEFT = 0;
  private static final int OUT = 1;
  private static final int TAIL = 2;
  private static final int LANES = 3;

  private RowDots() {}

  /// `c = alpha a b^T (+ bias)` for few rows of a.
  ///
  /// @param g the product; its y and f are not looked at
  /// @param b (N, K)
  /// @param bAt where it starts
  static void product(WorkerPool pool, Gemm g, MemorySegment b, long bAt) {
    // Enough rows of b that four streams, a quarter apart, keep the prefetchers busy.
    int each = Math.clamp((1 << 16) / g.k(), TOGETHER, 1 << 12);
    pool.run(
        CpuOps.parts(g.n(), each),
        2L * g.m() * g.n() * g.k(),
        (scratch, task) -> {
          int first = task * each;
          some(scratch, g, b, bAt, first, Math.min(each, g.n() - first));
        });
  }

  private static void some(
      Scratch scratch, Gemm g, MemorySegment b, long bAt, int first, int count) {
    int k = g.k();
    int whole = k - k % L;
    float[] left = scratch.floats(LEFT, whole + L);
    float[] out = scratch.floats(OUT, count);
    float[] lanes = scratch.floats(LANES, TOGETHER * L);
    float[] tail = scratch.floats(TAIL, L);
    for (int i = 0; i < g.m(); i++) {
      Native.load(left, 0, g.a(), g.aAt() + (long) i * k, k);
      Arrays.fill(left, k, whole + L, 0);
      dots(left, b, (bAt + (long) first * k) * Float.BYTES, k, whole, count, out, lanes);
      for (int j = 0; whole < k && j < count; j++) {
        Native.load(tail, 0, b, bAt + (long) (first + j) * k + whole, k - whole);
        for (int l = 0; l < k - whole; l++) {
          out[j] = Math.fma(left[whole + l], tail[l], out[j]);
        }
      }
      store(g, i, first, count, out);
    }
  }

  private static void store(Gemm g, int row, int first, int count, float[] out) {
    long at = g.cAt() + (long) row * g.n() + first;
    MemorySegment bias = g.bias();
    for (int j = 0; j < count; j++) {
      out[j] *= g.alpha();
      if (bias != null) {
        out[j] += Native.get(bias, first + j);
      }
      if (g.mode() == Sink.Mode.ADD) {
        out[j] += Native.get(g.c(), at + j);
      }
    }
    Native.store(g.c(), at, out, 0, count);
  }

  /// Four rows at a time, from the four quarters of the range; those that are left over are
  /// computed by the same instructions.
  private static void dots(
      float[] x,
      MemorySegment b,
      long at,
      int stride,
      int length,
      int count,
      float[] out,
      float[] lanes) {
    int quarter = count / TOGETHER;
    long row = (long) stride * Float.BYTES;
    for (int j = 0; j < quarter; j++) {
      four(x, b, at + j * row, quarter * row, length, out, j, quarter, lanes);
    }
    for (int j = TOGETHER * quarter; j < count; j++) {
      four(x, b, at + j * row, 0, length, out, j, 0, lanes);
    }
  }

  private static void four(
      float[] x,
      MemorySegment b,
      long at,
      long apart,
      int length,
      float[] out,
      int first,
      int outApart,
      float[] lanes) {
    FloatVector s0 = FloatVector.zero(S);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    FloatVector t0 = s0;
    FloatVector t1 = s0;
    FloatVector t2 = s0;
    FloatVector t3 = s0;
    int k = 0;
    for (; k + 2 * L <= length; k += 2 * L) {
      long p = at + (long) k * Float.BYTES;
      long q = p + (long) L * Float.BYTES;
      FloatVector u = FloatVector.fromArray(S, x, k);
      FloatVector v = FloatVector.fromArray(S, x, k + L);
      s0 = u.fma(FloatVector.fromMemorySegment(S, b, p, LE), s0);
      t0 = v.fma(FloatVector.fromMemorySegment(S, b, q, LE), t0);
      s1 = u.fma(FloatVector.fromMemorySegment(S, b, p + apart, LE), s1);
      t1 = v.fma(FloatVector.fromMemorySegment(S, b, q + apart, LE), t1);
      s2 = u.fma(FloatVector.fromMemorySegment(S, b, p + 2 * apart, LE), s2);
      t2 = v.fma(FloatVector.fromMemorySegment(S, b, q + 2 * apart, LE), t2);
      s3 = u.fma(FloatVector.fromMemorySegment(S, b, p + 3 * apart, LE), s3);
      t3 = v.fma(FloatVector.fromMemorySegment(S, b, q + 3 * apart, LE), t3);
    }
    if (k < length) {
      long p = at + (long) k * Float.BYTES;
      FloatVector u = FloatVector.fromArray(S, x, k);
      s0 = u.fma(FloatVector.fromMemorySegment(S, b, p, LE), s0);
      s1 = u.fma(FloatVector.fromMemorySegment(S, b, p + apart, LE), s1);
      s2 = u.fma(FloatVector.fromMemorySegment(S, b, p + 2 * apart, LE), s2);
      s3 = u.fma(FloatVector.fromMemorySegment(S, b, p + 3 * apart, LE), s3);
    }
    s0.add(t0).intoArray(lanes, 0);
    s1.add(t1).intoArray(lanes, L);
    s2.add(t2).intoArray(lanes, 2 * L);
    s3.add(t3).intoArray(lanes, 3 * L);
    for (int i = 0; i < TOGETHER; i++) {
      out[first + i * outApart] = Lanes.sum(lanes, i * L);
    }
  }
}
