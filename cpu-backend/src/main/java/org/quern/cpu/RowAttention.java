package org.quern.cpu;

import static org.quern.cpu.CpuBuffer.floats;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorSpecies;
import org.quern.core.AttentionSpec;
import org.quern.core.Tensor;

/// Attention of a few queries, as in decoding: keys and values are read once, straight from the
/// cache, since packing them would cost more than all the rest.
final class RowAttention {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final long STEP = (long) L * Float.BYTES;
  private static final int SIXTEEN = 16;

  /// Up to so many queries a head, rows one by one are faster than tiles.
  private static final int MOST_QUERIES = 4;

  // The arrays of a scratch.
  private static final int QUERY = 0;
  private static final int SCORES = 1;
  private static final int RESULT = 2;
  private static final int LANES = 3;

  private RowAttention() {}

  /// {@return whether this is the way to compute it}
  static boolean fits(Tensor q, AttentionSpec spec) {
    return q.shape().dim(2) <= MOST_QUERIES && q.shape().last() % L == 0 && spec.dropout() == 0;
  }

  /// [org.quern.core.Ops#attention].
  static void run(
      WorkerPool pool,
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      int[] positions) {
    MemorySegment to = floats(y);
    MemorySegment lses = floats(lse);
    MemorySegment from = floats(q);
    MemorySegment keys = floats(k);
    MemorySegment values = floats(v);
    int queries = q.shape().intDim(2);
    int rows = Math.toIntExact(q.shape().rows());
    pool.run(
        rows,
        2 * q.elements() * k.shape().dim(2),
        (scratch, row) -> {
          FlashHead head = FlashHead.of(q, k, spec, positions, row / queries);
          row(scratch, head, row % queries, to, lses, from, keys, values);
        });
  }

  private static void row(
      Scratch scratch,
      FlashHead head,
      int query,
      MemorySegment y,
      MemorySegment lse,
      MemorySegment q,
      MemorySegment k,
      MemorySegment v) {
    int size = head.size();
    int low = head.low(query);
    int n = head.high(query) - low;
    float[] one = scratch.floats(QUERY, size);
    float[] scores = scratch.floats(SCORES, n + SIXTEEN);
    float[] out = scratch.floats(RESULT, size);
    float[] lanes = scratch.floats(LANES, SIXTEEN * L);
    long at = head.queryAt() + (long) query * size;
    Native.load(one, 0, q, at, size);
    FlashScores.scale(one, 0, size, head.scale2());
    long first = (head.keyAt() + (long) low * size) * Float.BYTES;
    scores(one, size, k, first, n, scores, lanes);
    float max = max(scores, n);
    double sum = weights(scores, n, max, lanes);
    for (int d = 0; d < size; ) {
      if (d + 4 * L <= size) {
        four(scores, n, v, first + (long) d * Float.BYTES, size, out, d);
        d += 4 * L;
      } else {
        single(scores, n, v, first + (long) d * Float.BYTES, size, out, d);
        d += L;
      }
    }
    boolean seen = n > 0;
    FlashScores.scale(out, 0, size, seen ? (float) (1 / sum) : 0);
    Native.store(y, at, out, 0, size);
    double log = max / FlashHead.LOG2_E + Math.log(sum);
    Native.set(
        lse, head.index() * head.queries() + query, seen ? (float) log : Float.POSITIVE_INFINITY);
  }

  /// The products of one query with `n` keys.
  private static void scores(
      float[] q, int size, MemorySegment k, long at, int n, float[] out, float[] lanes) {
    long stride = (long) size * Float.BYTES;
    int j = 0;
    if (L == SIXTEEN) {
      for (; j + SIXTEEN <= n; j += SIXTEEN) {
        eight(q, size, k, at + j * stride, stride, lanes, 0);
        eight(q, size, k, at + (j + 8) * stride, stride, lanes, 8 * L);
        sums(lanes, out, j);
      }
    }
    for (; j < n; j++) {
      out[j] = dot(q, size, k, at + j * stride, lanes);
    }
  }

  /// By the same sums as [#eight] and [#sums]: which of the two computes a key must not show.
  private static float dot(float[] q, int size, MemorySegment k, long at, float[] lanes) {
    FloatVector s = FloatVector.zero(S);
    for (int d = 0; d < size; d += L) {
      s =
          FloatVector.fromArray(S, q, d)
              .fma(FloatVector.fromMemorySegment(S, k, at + (long) d * Float.BYTES, LE), s);
    }
    s.intoArray(lanes, 0);
    return Lanes.sum(lanes, 0);
  }

  private static float max(float[] s, int n) {
    float max = FlashScores.HIDDEN;
    for (int j = 0; j < n; j++) {
      max = s[j] > max ? s[j] : max;
    }
    return max;
  }

  private static double weights(float[] s, int n, float max, float[] lanes) {
    Arrays.fill(s, n, CpuOps.parts(n, L) * L, FlashScores.HIDDEN);
    FloatVector m = FloatVector.broadcast(S, max);
    FloatVector sum = FloatVector.zero(S);
    for (int j = 0; j < n; j += L) {
      FloatVector p = FlashScores.power(m.sub(FloatVector.fromArray(S, s, j)));
      p.intoArray(s, j);
      sum = sum.add(p);
    }
    sum.intoArray(lanes, 0);
    return Lanes.sumWide(lanes, 0);
  }

  /// `out[d] = sum_j p[j] v[j, d]` for four vectors of columns.
  private static void four(
      float[] p, int n, MemorySegment v, long at, int size, float[] out, int d) {
    FloatVector a = FloatVector.zero(S);
    FloatVector b = a;
    FloatVector c = a;
    FloatVector e = a;
    long stride = (long) size * Float.BYTES;
    for (int j = 0; j < n; j++) {
      long row = at + j * stride;
      FloatVector x = FloatVector.broadcast(S, p[j]);
      a = x.fma(FloatVector.fromMemorySegment(S, v, row, LE), a);
      b = x.fma(FloatVector.fromMemorySegment(S, v, row + STEP, LE), b);
      c = x.fma(FloatVector.fromMemorySegment(S, v, row + 2 * STEP, LE), c);
      e = x.fma(FloatVector.fromMemorySegment(S, v, row + 3 * STEP, LE), e);
    }
    a.intoArray(out, d);
    b.intoArray(out, d + L);
    c.intoArray(out, d + 2 * L);
    e.intoArray(out, d + 3 * L);
  }

  private static void single(
      float[] p, int n, MemorySegment v, long at, int size, float[] out, int d) {
    FloatVector a = FloatVector.zero(S);
    long stride = (long) size * Float.BYTES;
    for (int j = 0; j < n; j++) {
      FloatVector x = FloatVector.broadcast(S, p[j]);
      a = x.fma(FloatVector.fromMemorySegment(S, v, at + j * stride, LE), a);
    }
    a.intoArray(out, d);
  }

  /// Eight products at once, up to the sums over the lanes. No more: the JIT's first tier fails in
  /// a body with sixteen loads of a segment, and if an even lower one had it by then, it stays
  /// there for good, at a fiftieth of the speed.
  private static void eight(
      float[] q, int size, MemorySegment k, long at, long stride, float[] partial, int to) {
    FloatVector a0 = FloatVector.zero(S);
    FloatVector a1 = a0;
    FloatVector a2 = a0;
    FloatVector a3 = a0;
    FloatVector a4 = a0;
    FloatVector a5 = a0;
    FloatVector a6 = a0;
    FloatVector a7 = a0;
    for (int d = 0; d < size; d += L) {
      FloatVector z = FloatVector.fromArray(S, q, d);
      long p = at + (long) d * Float.BYTES;
      a0 = z.fma(FloatVector.fromMemorySegment(S, k, p, LE), a0);
      p += stride;
      a1 = z.fma(FloatVector.fromMemorySegment(S, k, p, LE), a1);
      p += stride;
      a2 = z.fma(FloatVector.fromMemorySegment(S, k, p, LE), a2);
      p += stride;
      a3 = z.fma(FloatVector.fromMemorySegment(S, k, p, LE), a3);
      p += stride;
      a4 = z.fma(FloatVector.fromMemorySegment(S, k, p, LE), a4);
      p += stride;
      a5 = z.fma(FloatVector.fromMemorySegment(S, k, p, LE), a5);
      p += stride;
      a6 = z.fma(FloatVector.fromMemorySegment(S, k, p, LE), a6);
      p += stride;
      a7 = z.fma(FloatVector.fromMemorySegment(S, k, p, LE), a7);
    }
    a0.intoArray(partial, to);
    a1.intoArray(partial, to + L);
    a2.intoArray(partial, to + 2 * L);
    a3.intoArray(partial, to + 3 * L);
    a4.intoArray(partial, to + 4 * L);
    a5.intoArray(partial, to + 5 * L);
    a6.intoArray(partial, to + 6 * L);
    a7.intoArray(partial, to + 7 * L);
  }

  /// Sixteen sums over the lanes. Each key has one vector of partial sums; four rounds of
  /// exchanges, as in [Transpose], add them up so that lane j holds the sum of key j.
  private static void sums(float[] partial, float[] out, int to) {
    FloatVector a0 = FloatVector.fromArray(S, partial, 0);
    FloatVector a1 = FloatVector.fromArray(S, partial, L);
    FloatVector a2 = FloatVector.fromArray(S, partial, 2 * L);
    FloatVector a3 = FloatVector.fromArray(S, partial, 3 * L);
    FloatVector a4 = FloatVector.fromArray(S, partial, 4 * L);
    FloatVector a5 = FloatVector.fromArray(S, partial, 5 * L);
    FloatVector a6 = FloatVector.fromArray(S, partial, 6 * L);
    FloatVector a7 = FloatVector.fromArray(S, partial, 7 * L);
    FloatVector a8 = FloatVector.fromArray(S, partial, 8 * L);
    FloatVector a9 = FloatVector.fromArray(S, partial, 9 * L);
    FloatVector a10 = FloatVector.fromArray(S, partial, 10 * L);
    FloatVector a11 = FloatVector.fromArray(S, partial, 11 * L);
    FloatVector a12 = FloatVector.fromArray(S, partial, 12 * L);
    FloatVector a13 = FloatVector.fromArray(S, partial, 13 * L);
    FloatVector a14 = FloatVector.fromArray(S, partial, 14 * L);
    FloatVector a15 = FloatVector.fromArray(S, partial, 15 * L);
    IntVector x;
    IntVector y;
    x = a0.reinterpretAsInts();
    y = a8.reinterpretAsInts();
    a0 =
        Transpose.LOW8
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH8.selectFrom(x, y).reinterpretAsFloats());
    x = a1.reinterpretAsInts();
    y = a9.reinterpretAsInts();
    a1 =
        Transpose.LOW8
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH8.selectFrom(x, y).reinterpretAsFloats());
    x = a2.reinterpretAsInts();
    y = a10.reinterpretAsInts();
    a2 =
        Transpose.LOW8
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH8.selectFrom(x, y).reinterpretAsFloats());
    x = a3.reinterpretAsInts();
    y = a11.reinterpretAsInts();
    a3 =
        Transpose.LOW8
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH8.selectFrom(x, y).reinterpretAsFloats());
    x = a4.reinterpretAsInts();
    y = a12.reinterpretAsInts();
    a4 =
        Transpose.LOW8
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH8.selectFrom(x, y).reinterpretAsFloats());
    x = a5.reinterpretAsInts();
    y = a13.reinterpretAsInts();
    a5 =
        Transpose.LOW8
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH8.selectFrom(x, y).reinterpretAsFloats());
    x = a6.reinterpretAsInts();
    y = a14.reinterpretAsInts();
    a6 =
        Transpose.LOW8
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH8.selectFrom(x, y).reinterpretAsFloats());
    x = a7.reinterpretAsInts();
    y = a15.reinterpretAsInts();
    a7 =
        Transpose.LOW8
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH8.selectFrom(x, y).reinterpretAsFloats());
    x = a0.reinterpretAsInts();
    y = a4.reinterpretAsInts();
    a0 =
        Transpose.LOW4
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH4.selectFrom(x, y).reinterpretAsFloats());
    x = a1.reinterpretAsInts();
    y = a5.reinterpretAsInts();
    a1 =
        Transpose.LOW4
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH4.selectFrom(x, y).reinterpretAsFloats());
    x = a2.reinterpretAsInts();
    y = a6.reinterpretAsInts();
    a2 =
        Transpose.LOW4
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH4.selectFrom(x, y).reinterpretAsFloats());
    x = a3.reinterpretAsInts();
    y = a7.reinterpretAsInts();
    a3 =
        Transpose.LOW4
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH4.selectFrom(x, y).reinterpretAsFloats());
    x = a0.reinterpretAsInts();
    y = a2.reinterpretAsInts();
    a0 =
        Transpose.LOW2
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH2.selectFrom(x, y).reinterpretAsFloats());
    x = a1.reinterpretAsInts();
    y = a3.reinterpretAsInts();
    a1 =
        Transpose.LOW2
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH2.selectFrom(x, y).reinterpretAsFloats());
    x = a0.reinterpretAsInts();
    y = a1.reinterpretAsInts();
    a0 =
        Transpose.LOW1
            .selectFrom(x, y)
            .reinterpretAsFloats()
            .add(Transpose.HIGH1.selectFrom(x, y).reinterpretAsFloats());
    a0.intoArray(out, to);
  }
}
