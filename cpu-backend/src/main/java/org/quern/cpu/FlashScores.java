package org.quern.cpu;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// What flash attention does to a group of rows of scores, [PackedTile#ROWS] rows of
/// [ScoreTile#STRIDE]: flat loops over arrays, each long enough not to be inlined, since inside a
/// larger method they run several times slower.
///
/// Scores are in units of log2, so that weights are powers of two.
final class FlashScores {
  /// The score of a hidden key, and the maximum of a row that has seen none.
  static final float HIDDEN = -1e30f;

  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final int L = S.length();
  private static final int ROWS = PackedTile.ROWS;
  private static final int STRIDE = ScoreTile.STRIDE;

  /// `1.5 * 2^23`: adding it rounds to an integer, which then lies in the low bits.
  private static final float ROUND = 12582912f;

  /// No weight is below 2^-80: further down they change nothing, and their products would lose
  /// precision and a processor's speed with it. As integers, positive floats compare alike.
  private static final int FAINTEST = Float.floatToRawIntBits(80f);

  // 2^-y for y from -1/2 to 1/2: minimax of degree 6 in relative error, 2e-9 (our own fit).
  private static final float P1 = -0.6931472f;
  private static final float P2 = 0.24022648f;
  private static final float P3 = -0.055503286f;
  private static final float P4 = 9.618491e-3f;
  private static final float P5 = -0.0013400062f;
  private static final float P6 = 1.5345693e-4f;

  private FlashScores() {}

  /// The largest of the first `n` scores of each row, a multiple of the lanes.
  static void max(float[] s, int n, float[] out) {
    for (int i = 0; i < ROWS; i++) {
      int at = i * STRIDE;
      int j = 0;
      FloatVector a = FloatVector.broadcast(S, HIDDEN);
      FloatVector b = a;
      FloatVector c = a;
      FloatVector d = a;
      for (; j + 8 * L <= n; j += 8 * L) {
        FloatVector u0 = FloatVector.fromArray(S, s, at + j);
        FloatVector u1 = FloatVector.fromArray(S, s, at + j + L);
        FloatVector u2 = FloatVector.fromArray(S, s, at + j + 2 * L);
        FloatVector u3 = FloatVector.fromArray(S, s, at + j + 3 * L);
        FloatVector u4 = FloatVector.fromArray(S, s, at + j + 4 * L);
        FloatVector u5 = FloatVector.fromArray(S, s, at + j + 5 * L);
        FloatVector u6 = FloatVector.fromArray(S, s, at + j + 6 * L);
        FloatVector u7 = FloatVector.fromArray(S, s, at + j + 7 * L);
        a = a.blend(u0, u0.compare(VectorOperators.GT, a));
        b = b.blend(u1, u1.compare(VectorOperators.GT, b));
        c = c.blend(u2, u2.compare(VectorOperators.GT, c));
        d = d.blend(u3, u3.compare(VectorOperators.GT, d));
        a = a.blend(u4, u4.compare(VectorOperators.GT, a));
        b = b.blend(u5, u5.compare(VectorOperators.GT, b));
        c = c.blend(u6, u6.compare(VectorOperators.GT, c));
        d = d.blend(u7, u7.compare(VectorOperators.GT, d));
      }
      for (; j < n; j += L) {
        FloatVector u = FloatVector.fromArray(S, s, at + j);
        a = a.blend(u, u.compare(VectorOperators.GT, a));
      }
      a = a.blend(b, b.compare(VectorOperators.GT, a));
      c = c.blend(d, d.compare(VectorOperators.GT, c));
      a = a.blend(c, c.compare(VectorOperators.GT, a));
      out[i] = a.reduceLanes(VectorOperators.MAX);
    }
  }

  /// {@return `2^-y`, at least 2^-80; the loops below have it spelled out, see above}
  static FloatVector power(FloatVector y) {
    FloatVector x =
        y.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
    FloatVector z = FloatVector.broadcast(S, ROUND).sub(x);
    FloatVector r = z.sub(ROUND).add(x);
    FloatVector p = FloatVector.broadcast(S, P6).fma(r, FloatVector.broadcast(S, P5));
    p = p.fma(r, FloatVector.broadcast(S, P4));
    p = p.fma(r, FloatVector.broadcast(S, P3));
    p = p.fma(r, FloatVector.broadcast(S, P2));
    p = p.fma(r, FloatVector.broadcast(S, P1));
    p = p.fma(r, FloatVector.broadcast(S, 1f));
    IntVector exponent = z.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23);
    return p.reinterpretAsInts().add(exponent).reinterpretAsFloats();
  }

  /// `s = 2^(s - max)` in place; lanes of the rows' sums grow.
  ///
  /// @param s the rows
  /// @param n scores of each, a multiple of the lanes
  /// @param max of each row, from `first` on
  /// @param first the group's first row in `max` and `sums`
  /// @param sums one vector a row
  static void exponentials(float[] s, int n, float[] max, int first, float[] sums) {
    FloatVector round = FloatVector.broadcast(S, ROUND);
    FloatVector p6 = FloatVector.broadcast(S, P6);
    FloatVector p5 = FloatVector.broadcast(S, P5);
    FloatVector p4 = FloatVector.broadcast(S, P4);
    FloatVector p3 = FloatVector.broadcast(S, P3);
    FloatVector p2 = FloatVector.broadcast(S, P2);
    FloatVector p1 = FloatVector.broadcast(S, P1);
    FloatVector one = FloatVector.broadcast(S, 1f);
    for (int i = 0; i < ROWS; i++) {
      int at = i * STRIDE;
      int j = 0;
      FloatVector m = FloatVector.broadcast(S, max[first + i]);
      FloatVector a = FloatVector.fromArray(S, sums, (first + i) * L);
      FloatVector b = FloatVector.zero(S);
      for (; j + 2 * L <= n; j += 2 * L) {
        FloatVector y = m.sub(FloatVector.fromArray(S, s, at + j));
        FloatVector w = m.sub(FloatVector.fromArray(S, s, at + j + L));

        FloatVector x0 =
            y.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
        FloatVector z0 = round.sub(x0);
        FloatVector r0 = z0.sub(round).add(x0);
        FloatVector p = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, p1).fma(r0, one);
        p =
            p.reinterpretAsInts()
                .add(z0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();

        FloatVector x1 =
            w.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
        FloatVector z1 = round.sub(x1);
        FloatVector r1 = z1.sub(round).add(x1);
        FloatVector q = p6.fma(r1, p5).fma(r1, p4).fma(r1, p3).fma(r1, p2).fma(r1, p1).fma(r1, one);
        q =
            q.reinterpretAsInts()
                .add(z1.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();

        p.intoArray(s, at + j);
        q.intoArray(s, at + j + L);
        a = a.add(p);
        b = b.add(q);
      }
      if (j < n) {
        FloatVector y = m.sub(FloatVector.fromArray(S, s, at + j));

        FloatVector x0 =
            y.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
        FloatVector z0 = round.sub(x0);
        FloatVector r0 = z0.sub(round).add(x0);
        FloatVector p = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, p1).fma(r0, one);
        p =
            p.reinterpretAsInts()
                .add(z0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();

        p.intoArray(s, at + j);
        a = a.add(p);
      }
      a.add(b).intoArray(sums, (first + i) * L);
    }
  }

  /// The weights and the gradients of the scores, in place: `s = 2^(s - lse)`, `d = scale s (d -
  /// delta)`.
  ///
  /// @param at the group's first score in `s` and `d`
  /// @param n scores of each row, a multiple of the lanes
  /// @param lse of each row, in units of log2, from `first` on
  /// @param delta of each row: the sum of the weights times their gradients
  static void gradients(
      float[] s, float[] d, int at, int n, float[] lse, float[] delta, int first, float scale) {
    FloatVector round = FloatVector.broadcast(S, ROUND);
    FloatVector p6 = FloatVector.broadcast(S, P6);
    FloatVector p5 = FloatVector.broadcast(S, P5);
    FloatVector p4 = FloatVector.broadcast(S, P4);
    FloatVector p3 = FloatVector.broadcast(S, P3);
    FloatVector p2 = FloatVector.broadcast(S, P2);
    FloatVector p1 = FloatVector.broadcast(S, P1);
    FloatVector one = FloatVector.broadcast(S, 1f);
    for (int i = 0; i < ROWS; i++) {
      int row = at + i * STRIDE;
      FloatVector m = FloatVector.broadcast(S, lse[first + i]);
      FloatVector mean = FloatVector.broadcast(S, delta[first + i]);
      int j = row;
      for (; j + 2 * L <= row + n; j += 2 * L) {
        FloatVector y = m.sub(FloatVector.fromArray(S, s, j));
        FloatVector w = m.sub(FloatVector.fromArray(S, s, j + L));

        FloatVector x0 =
            y.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
        FloatVector z0 = round.sub(x0);
        FloatVector r0 = z0.sub(round).add(x0);
        FloatVector p = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, p1).fma(r0, one);
        p =
            p.reinterpretAsInts()
                .add(z0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();

        FloatVector x1 =
            w.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
        FloatVector z1 = round.sub(x1);
        FloatVector r1 = z1.sub(round).add(x1);
        FloatVector q = p6.fma(r1, p5).fma(r1, p4).fma(r1, p3).fma(r1, p2).fma(r1, p1).fma(r1, one);
        q =
            q.reinterpretAsInts()
                .add(z1.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();

        p.intoArray(s, j);
        q.intoArray(s, j + L);
        FloatVector.fromArray(S, d, j).sub(mean).mul(p).mul(scale).intoArray(d, j);
        FloatVector.fromArray(S, d, j + L).sub(mean).mul(q).mul(scale).intoArray(d, j + L);
      }
      if (j < row + n) {
        FloatVector y = m.sub(FloatVector.fromArray(S, s, j));

        FloatVector x0 =
            y.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
        FloatVector z0 = round.sub(x0);
        FloatVector r0 = z0.sub(round).add(x0);
        FloatVector p = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, p1).fma(r0, one);
        p =
            p.reinterpretAsInts()
                .add(z0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();

        p.intoArray(s, j);
        FloatVector.fromArray(S, d, j).sub(mean).mul(p).mul(scale).intoArray(d, j);
      }
    }
  }

  /// [#gradients] with dropout: `p = 2^(s - lse)`, `s = f p`, `d = scale p (f d - delta)`.
  ///
  /// @param f the factors, rows of `STRIDE`
  static void droppedGradients(
      float[] s,
      float[] d,
      int at,
      float[] f,
      int n,
      float[] lse,
      float[] delta,
      int first,
      float scale) {
    FloatVector round = FloatVector.broadcast(S, ROUND);
    FloatVector p6 = FloatVector.broadcast(S, P6);
    FloatVector p5 = FloatVector.broadcast(S, P5);
    FloatVector p4 = FloatVector.broadcast(S, P4);
    FloatVector p3 = FloatVector.broadcast(S, P3);
    FloatVector p2 = FloatVector.broadcast(S, P2);
    FloatVector p1 = FloatVector.broadcast(S, P1);
    FloatVector one = FloatVector.broadcast(S, 1f);
    for (int i = 0; i < ROWS; i++) {
      int row = at + i * STRIDE;
      int factor = i * STRIDE - row;
      FloatVector m = FloatVector.broadcast(S, lse[first + i]);
      FloatVector mean = FloatVector.broadcast(S, delta[first + i]);
      int j = row;
      for (; j + 2 * L <= row + n; j += 2 * L) {
        FloatVector y = m.sub(FloatVector.fromArray(S, s, j));
        FloatVector w = m.sub(FloatVector.fromArray(S, s, j + L));
        FloatVector f0 = FloatVector.fromArray(S, f, factor + j);
        FloatVector f1 = FloatVector.fromArray(S, f, factor + j + L);

        FloatVector x0 =
            y.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
        FloatVector z0 = round.sub(x0);
        FloatVector r0 = z0.sub(round).add(x0);
        FloatVector p = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, p1).fma(r0, one);
        p =
            p.reinterpretAsInts()
                .add(z0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();

        FloatVector x1 =
            w.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
        FloatVector z1 = round.sub(x1);
        FloatVector r1 = z1.sub(round).add(x1);
        FloatVector q = p6.fma(r1, p5).fma(r1, p4).fma(r1, p3).fma(r1, p2).fma(r1, p1).fma(r1, one);
        q =
            q.reinterpretAsInts()
                .add(z1.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();

        p.mul(f0).intoArray(s, j);
        q.mul(f1).intoArray(s, j + L);
        FloatVector.fromArray(S, d, j).mul(f0).sub(mean).mul(p).mul(scale).intoArray(d, j);
        FloatVector.fromArray(S, d, j + L).mul(f1).sub(mean).mul(q).mul(scale).intoArray(d, j + L);
      }
      if (j < row + n) {
        FloatVector y = m.sub(FloatVector.fromArray(S, s, j));
        FloatVector f0 = FloatVector.fromArray(S, f, factor + j);

        FloatVector x0 =
            y.reinterpretAsInts().lanewise(VectorOperators.MIN, FAINTEST).reinterpretAsFloats();
        FloatVector z0 = round.sub(x0);
        FloatVector r0 = z0.sub(round).add(x0);
        FloatVector p = p6.fma(r0, p5).fma(r0, p4).fma(r0, p3).fma(r0, p2).fma(r0, p1).fma(r0, one);
        p =
            p.reinterpretAsInts()
                .add(z0.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();

        p.mul(f0).intoArray(s, j);
        FloatVector.fromArray(S, d, j).mul(f0).sub(mean).mul(p).mul(scale).intoArray(d, j);
      }
    }
  }

  /// `s = s f`.
  static void multiply(float[] s, float[] f, int n) {
    for (int i = 0; i < ROWS; i++) {
      int row = i * STRIDE;
      for (int j = row; j < row + n; j += L) {
        FloatVector.fromArray(S, s, j).mul(FloatVector.fromArray(S, f, j)).intoArray(s, j);
      }
    }
  }

  /// Sets what lies outside `[low, high)` of each row's first `n` scores.
  ///
  /// @param at the group's first score
  /// @param first the key of the group's first score
  /// @param low the first visible key of each row
  /// @param high the key behind the last visible one
  static void outside(float[] s, int at, int n, int first, int[] low, int[] high, float value) {
    for (int i = 0; i < ROWS; i++) {
      int row = at + i * STRIDE;
      int from = Math.clamp((long) low[i] - first, 0, n);
      int to = Math.clamp((long) high[i] - first, from, n);
      Arrays.fill(s, row, row + from, value);
      Arrays.fill(s, row + to, row + n, value);
    }
  }

  /// `x = x factor` for some elements, a multiple of the lanes.
  static void scale(float[] x, int at, int n, float factor) {
    for (int j = at; j < at + n; j += L) {
      FloatVector.fromArray(S, x, j).mul(factor).intoArray(x, j);
    }
  }
}
