package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.AttentionSpec;
import org.quern.core.Compositions;
import org.quern.core.Mask;
import org.quern.core.Ops;
import org.quern.core.Philox;
import org.quern.core.Sink;
import org.quern.core.Tensor;

@ExtendWith(Tier.class)
class AttentionTest {
  private static final Mask[] MASKS = {
    Mask.CAUSAL,
    Mask.FULL,
    Mask.banded(1),
    Mask.banded(5),
    Mask.banded(300),
    new Mask(Mask.Direction.FULL, 9)
  };

  /// One problem and its answer in f64.
  private static final class Case {
    final int b;
    final int h;
    final int s;
    final int t;
    final int d;
    final AttentionSpec spec;
    final int[] positions;
    final float[] q;
    final float[] k;
    final float[] v;
    final float[] dy;
    final double[] y;
    final double[] lse;
    final double[] p;
    final double[] x;
    final double[] dp;
    final double[] dx;
    final double[] dq;
    final double[] dk;
    final double[] dv;

    Case(Fixture f, int[] z, AttentionSpec spec, int[] positions, double size) {
      b = z[0];
      h = z[1];
      s = z[2];
      t = z[3];
      d = z[4];
      this.spec = spec;
      this.positions = positions;
      q = f.numbers(b * h * s * d, size);
      k = f.numbers(b * h * t * d, size);
      v = f.numbers(b * h * t * d, 1);
      dy = f.numbers(b * h * s * d, 1);
      y = new double[q.length];
      lse = new double[b * h * s];
      x = new double[b * h * s * t];
      p = new double[x.length];
      dp = new double[x.length];
      dx = new double[x.length];
      dq = new double[q.length];
      dk = new double[k.length];
      dv = new double[k.length];
      for (int row = 0; row < lse.length; row++) {
        row(row);
      }
    }

    boolean sees(int row, int j) {
      int place = positions[row / (h * s)] + row % s;
      boolean early = spec.mask().direction() == Mask.Direction.FULL || j <= place;
      return early && (long) j > (long) place - spec.mask().window();
    }

    private double keep(int row, int j) {
      if (spec.dropout() == 0) {
        return 1;
      }
      boolean kept = Philox.keeps(spec.seed(), (long) row * t + j, spec.dropout());
      return kept ? 1 / (1 - (double) spec.dropout()) : 0;
    }

    private void row(int row) {
      int head = row / s;
      double max = Double.NEGATIVE_INFINITY;
      for (int j = 0; j < t; j++) {
        for (int c = 0; c < d; c++) {
          x[row * t + j] += (double) q[row * d + c] * k[(head * t + j) * d + c];
        }
        if (sees(row, j)) {
          max = Math.max(max, spec.scale() * x[row * t + j]);
        }
      }
      double sum = 0;
      for (int j = 0; j < t; j++) {
        if (sees(row, j)) {
          sum += Math.exp(spec.scale() * x[row * t + j] - max);
        }
      }
      lse[row] = sum == 0 ? Double.POSITIVE_INFINITY : max + Math.log(sum);
      double dot = 0;
      for (int j = 0; j < t; j++) {
        if (!sees(row, j)) {
          continue;
        }
        double weight = Math.exp(spec.scale() * x[row * t + j] - lse[row]);
        p[row * t + j] = weight * keep(row, j);
        for (int c = 0; c < d; c++) {
          y[row * d + c] += p[row * t + j] * v[(head * t + j) * d + c];
          dp[row * t + j] += dy[row * d + c] * (double) v[(head * t + j) * d + c];
          dv[(head * t + j) * d + c] += p[row * t + j] * dy[row * d + c];
        }
        dot += p[row * t + j] * dp[row * t + j];
      }
      for (int j = 0; j < t; j++) {
        if (sees(row, j)) {
          double weight = Math.exp(spec.scale() * x[row * t + j] - lse[row]);
          dx[row * t + j] = spec.scale() * weight * (keep(row, j) * dp[row * t + j] - dot);
          for (int c = 0; c < d; c++) {
            dq[row * d + c] += dx[row * t + j] * k[(head * t + j) * d + c];
            dk[(head * t + j) * d + c] += dx[row * t + j] * q[row * d + c];
          }
        }
      }
    }

    /// A score carries the error of a sum of d products; a weight multiplies it. What is summed
    /// over keys or queries adds its own.
    double tolerance() {
      double score = 0;
      for (double value : x) {
        score = Math.max(score, Math.abs(value * spec.scale()));
      }
      double kept = 1 / (1 - spec.dropout());
      return Fixture.EPS * (32 + d + 4 * score + Math.max(s, t)) * kept;
    }
  }

  private static int[] positions(int b, int s, int t) {
    int[] out = new int[b];
    for (int i = 0; i < b; i++) {
      out[i] = i % 2 == 0 ? Math.max(0, t - s) : (t - s) / 2;
    }
    return out;
  }

  private static double[] uniform(int n, double bound) {
    double[] out = new double[n];
    Arrays.fill(out, bound);
    return out;
  }

  private static final int[][] SIZES = {
    {1, 1, 1, 1, 1},
    {2, 2, 3, 7, 5},
    {2, 1, 13, 13, 16},
    {1, 2, 64, 64, 32},
    {3, 2, 1, 200, 48},
    {1, 2, 127, 127, 64},
    {1, 1, 40, 600, 33},
    {2, 1, 70, 90, 80},
    {1, 1, 130, 130, 128},
    {1, 1, 20, 20, 150}
  };

  private interface Check {
    void run(Fixture f, Case c);
  }

  private static void each(Check check) {
    Fixture.everywhere(
        f -> {
          for (int[] z : SIZES) {
            for (Mask mask : MASKS) {
              float scale = (float) (1 / Math.sqrt(z[4]));
              int[] positions = positions(z[0], z[2], z[3]);
              check.run(f, new Case(f, z, AttentionSpec.of(mask, scale), positions, 2));
            }
            AttentionSpec drop = new AttentionSpec(Mask.CAUSAL, 0.3f, 0.4f, 0x1234_5678_9ABCL);
            check.run(f, new Case(f, z, drop, positions(z[0], z[2], z[3]), 2));
          }
        });
  }

  @Test
  void maskedSoftmax() {
    each(
        (f, c) -> {
          float[] x = new float[c.x.length];
          double[] expected = c.p.clone();
          double tolerance = c.tolerance();
          for (int i = 0; i < x.length; i++) {
            x[i] = c.sees(i / c.t, i % c.t) ? (float) c.x[i] : Float.NaN;
          }
          Tensor in = f.tensor(x, c.b, c.h, c.s, c.t);
          Tensor y = f.nan(c.b, c.h, c.s, c.t);
          Tensor lse = f.nan(c.b, c.h, c.s);
          Tensor at = f.integers(c.positions, c.b);
          f.ops().maskedSoftmax(y, lse, in, c.spec, at);
          Fixture.close(
              "p", expected, Fixture.bound(expected, tolerance / Fixture.EPS, 1e-37), f.read(y));
          Fixture.close("lse", c.lse, uniform(c.lse.length, tolerance), f.read(lse));
          f.ops().maskedSoftmax(in, lse, in, c.spec, at);
          Fixture.close(
              "in place",
              expected,
              Fixture.bound(expected, tolerance / Fixture.EPS, 1e-37),
              f.read(in));
        });
  }

  @Test
  void maskedSoftmaxBackward() {
    each(
        (f, c) -> {
          float[] x = new float[c.x.length];
          float[] dy = new float[c.x.length];
          for (int i = 0; i < x.length; i++) {
            boolean sees = c.sees(i / c.t, i % c.t);
            x[i] = sees ? (float) c.x[i] : Float.NaN;
            dy[i] = sees ? (float) c.dp[i] : Float.NaN;
          }
          Tensor in = f.tensor(x, c.b, c.h, c.s, c.t);
          Tensor grad = f.tensor(dy, c.b, c.h, c.s, c.t);
          Tensor lse = lse(f, c);
          Tensor at = f.integers(c.positions, c.b);
          double[] bound = uniform(c.dx.length, c.tolerance() * 4 * c.d);
          f.sink(
              "dx",
              c.dx,
              bound,
              d -> f.ops().maskedSoftmaxBackward(d, grad, in, lse, c.spec, at),
              c.b,
              c.h,
              c.s,
              c.t);
          f.ops().maskedSoftmaxBackward(Sink.set(grad), grad, in, lse, c.spec, at);
          Fixture.close("in place", c.dx, bound, f.read(grad));
        });
  }

  private static Tensor lse(Fixture f, Case c) {
    float[] lse = new float[c.lse.length];
    for (int i = 0; i < lse.length; i++) {
      lse[i] = (float) c.lse[i];
    }
    return f.tensor(lse, c.b, c.h, c.s);
  }

  @Test
  void attention() {
    each(
        (f, c) -> {
          Tensor q = f.tensor(c.q, c.b, c.h, c.s, c.d);
          Tensor k = f.tensor(c.k, c.b, c.h, c.t, c.d);
          Tensor v = f.tensor(c.v, c.b, c.h, c.t, c.d);
          Tensor at = f.integers(c.positions, c.b);
          for (int way = 0; way < 2; way++) {
            Tensor y = f.nan(c.b, c.h, c.s, c.d);
            Tensor lse = f.nan(c.b, c.h, c.s);
            Ops ops = f.ops();
            if (way == 0) {
              ops.attention(y, lse, q, k, v, c.spec, at, f.scope());
            } else {
              Compositions.attention(ops, y, lse, q, k, v, c.spec, at, f.scope());
            }
            Fixture.close("y", c.y, uniform(c.y.length, c.tolerance()), f.read(y));
            Fixture.close("lse", c.lse, uniform(c.lse.length, c.tolerance()), f.read(lse));
          }
        });
  }

  @Test
  void attentionBackward() {
    each(
        (f, c) -> {
          Tensor q = f.tensor(c.q, c.b, c.h, c.s, c.d);
          Tensor k = f.tensor(c.k, c.b, c.h, c.t, c.d);
          Tensor v = f.tensor(c.v, c.b, c.h, c.t, c.d);
          Tensor dy = f.tensor(c.dy, c.b, c.h, c.s, c.d);
          float[] rounded = new float[c.y.length];
          for (int i = 0; i < rounded.length; i++) {
            rounded[i] = (float) c.y[i];
          }
          Tensor y = f.tensor(rounded, c.b, c.h, c.s, c.d);
          Tensor lse = lse(f, c);
          Tensor at = f.integers(c.positions, c.b);
          double tolerance = c.tolerance() * 4 * c.d * Math.max(c.s, c.t);
          Sink other = Sink.set(f.nan(c.b, c.h, c.s, c.d));
          Sink long1 = Sink.set(f.nan(c.b, c.h, c.t, c.d));
          Sink long2 = Sink.set(f.nan(c.b, c.h, c.t, c.d));
          f.sink(
              "dq",
              c.dq,
              uniform(c.dq.length, tolerance),
              g ->
                  f.ops()
                      .attentionBackward(
                          g, long1, long2, dy, y, lse, q, k, v, c.spec, at, f.scope()),
              c.b,
              c.h,
              c.s,
              c.d);
          f.sink(
              "dk",
              c.dk,
              uniform(c.dk.length, tolerance),
              g ->
                  f.ops()
                      .attentionBackward(
                          other, g, long2, dy, y, lse, q, k, v, c.spec, at, f.scope()),
              c.b,
              c.h,
              c.t,
              c.d);
          f.sink(
              "dv",
              c.dv,
              uniform(c.dv.length, tolerance),
              g ->
                  f.ops()
                      .attentionBackward(
                          other, long1, g, dy, y, lse, q, k, v, c.spec, at, f.scope()),
              c.b,
              c.h,
              c.t,
              c.d);
        });
  }

  @Test
  void extremeScoresGiveNoNan() {
    Fixture.everywhere(
        f -> {
          int[] z = {1, 1, 50, 50, 16};
          Case c = new Case(f, z, AttentionSpec.of(Mask.CAUSAL, 0.25f), new int[1], 60);
          Tensor y = f.nan(1, 1, 50, 16);
          Tensor lse = f.nan(1, 1, 50);
          f.ops()
              .attention(
                  y,
                  lse,
                  f.tensor(c.q, 1, 1, 50, 16),
                  f.tensor(c.k, 1, 1, 50, 16),
                  f.tensor(c.v, 1, 1, 50, 16),
                  c.spec,
                  f.integers(c.positions, 1),
                  f.scope());
          Fixture.close("y", c.y, uniform(c.y.length, c.tolerance()), f.read(y));
          Fixture.close("lse", c.lse, uniform(50, c.tolerance() * 16), f.read(lse));
        });
  }

  @Test
  void aRowThatSeesNothingIsZero() {
    Fixture.everywhere(
        f -> {
          int[] z = {1, 1, 6, 4, 16};
          Mask mask = new Mask(Mask.Direction.FULL, 2);
          Case c = new Case(f, z, AttentionSpec.of(mask, 0.25f), new int[] {2}, 1);
          assertEquals(Double.POSITIVE_INFINITY, c.lse[5]);
          Tensor y = f.nan(1, 1, 6, 16);
          Tensor lse = f.nan(1, 1, 6);
          Tensor q = f.tensor(c.q, 1, 1, 6, 16);
          Tensor k = f.tensor(c.k, 1, 1, 4, 16);
          Tensor v = f.tensor(c.v, 1, 1, 4, 16);
          Tensor at = f.integers(c.positions, 1);
          f.ops().attention(y, lse, q, k, v, c.spec, at, f.scope());
          Fixture.close("y", c.y, uniform(c.y.length, 1e-5), f.read(y));
          assertEquals(Float.POSITIVE_INFINITY, f.read(lse)[5]);
          assertEquals(0, f.read(y)[5 * 16]);
          Tensor dq = f.nan(1, 1, 6, 16);
          Tensor dk = f.nan(1, 1, 4, 16);
          Tensor dv = f.nan(1, 1, 4, 16);
          Tensor dy = f.tensor(c.dy, 1, 1, 6, 16);
          f.ops()
              .attentionBackward(
                  Sink.set(dq),
                  Sink.set(dk),
                  Sink.set(dv),
                  dy,
                  y,
                  lse,
                  q,
                  k,
                  v,
                  c.spec,
                  at,
                  f.scope());
          Fixture.close("dq", c.dq, uniform(c.dq.length, 1e-5), f.read(dq));
          Fixture.close("dk", c.dk, uniform(c.dk.length, 1e-5), f.read(dk));
          Fixture.close("dv", c.dv, uniform(c.dv.length, 1e-5), f.read(dv));
        });
  }
}
