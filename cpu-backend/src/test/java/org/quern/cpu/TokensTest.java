package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Heads, embeddings and cross entropy.
@ExtendWith(Tier.class)
class TokensTest {
  @Test
  void splitAndMergeHeads() {
    Fixture.everywhere(
        f -> {
          for (int[] s : new int[][] {{1, 1, 1, 1, 1}, {2, 3, 5, 7, 9}, {3, 4, 40, 32, 64}}) {
            heads(f, s[0], s[1], s[2], s[3], s[4]);
          }
        });
  }

  private static void heads(Fixture f, int b, int h, int s, int d, int t) {
    int c = h * d;
    float[] qkv = f.numbers(b * s * 3 * c, 1);
    float[] k = f.numbers(b * h * t * d, 1);
    float[] v = f.numbers(b * h * t * d, 1);
    int[] positions = new int[b];
    for (int i = 0; i < b; i++) {
      positions[i] = i == b - 1 ? t - s + 1 : i; // the last token of the last row falls off
    }
    float[] q = new float[b * h * s * d];
    Tensor kt = f.tensor(k, b, h, t, d);
    Tensor vt = f.tensor(v, b, h, t, d);
    for (int i = 0; i < b * s * c; i++) {
      int token = i / c;
      int head = i % c / d;
      int to = ((token / s * h + head) * s + token % s) * d + i % d;
      q[to] = qkv[token * 3 * c + i % c];
      int p = positions[token / s] + token % s;
      if (p < t) {
        int cache = ((token / s * h + head) * t + p) * d + i % d;
        k[cache] = qkv[token * 3 * c + c + i % c];
        v[cache] = qkv[token * 3 * c + 2 * c + i % c];
      }
    }
    Tensor qt = f.nan(b, h, s, d);
    f.ops().splitHeads(qt, kt, vt, f.tensor(qkv, b, s, 3 * c), f.integers(positions, b));
    assertArrayEquals(q, f.read(qt));
    assertArrayEquals(k, f.read(kt));
    assertArrayEquals(v, f.read(vt));

    double[] merged = new double[b * s * c];
    double[] split = new double[b * h * s * d];
    double[] packed = new double[3 * merged.length];
    for (int i = 0; i < merged.length; i++) {
      int token = i / c;
      int from = ((token / s * h + i % c / d) * s + token % s) * d + i % d;
      merged[i] = q[from];
      split[from] = qkv[i];
      for (int part = 0; part < 3; part++) {
        packed[token * 3 * c + part * c + i % c] = (part + 1) * q[from];
      }
    }
    Tensor y = f.nan(b, s, c);
    f.ops().mergeHeads(y, qt);
    Fixture.close("merge", merged, new double[merged.length], f.read(y));
    Tensor dy = f.tensor(Arrays.copyOf(qkv, merged.length), b, s, c);
    f.sink(
        "mergeBackward",
        split,
        new double[split.length],
        x -> f.ops().mergeHeadsBackward(x, dy),
        b,
        h,
        s,
        d);
    Tensor two = f.nan(b, h, s, d);
    Tensor three = f.nan(b, h, s, d);
    f.ops().scale(two, qt, 2);
    f.ops().scale(three, qt, 3);
    f.sink(
        "splitBackward",
        packed,
        Fixture.bound(packed, 1, 0),
        x -> f.ops().splitHeadsBackward(x, qt, two, three),
        b,
        s,
        3 * c);
  }

  @Test
  void embed() {
    Fixture.everywhere(
        f -> {
          for (int[] z : new int[][] {{1, 1, 1, 1, 1}, {2, 5, 7, 13, 6}, {9, 60, 65, 64, 64}}) {
            int b = z[0];
            int s = z[1];
            int v = z[2];
            int c = z[3];
            int p = z[4];
            int[] ids = f.integers(b * s, v);
            int[] positions = f.integers(b, p + 3); // some are clamped
            float[] wte = f.numbers(v * c, 1);
            float[] wpe = f.numbers(p * c, 1);
            float[] dy = f.numbers(b * s * c, 1);
            double[] y = new double[b * s * c];
            double[] bare = new double[b * s * c];
            double[] dwte = new double[v * c];
            double[] dwpe = new double[p * c];
            for (int i = 0; i < y.length; i++) {
              int n = i / c;
              int place = Math.min(p - 1, positions[n / s] + n % s);
              bare[i] = wte[ids[n] * c + i % c];
              y[i] = bare[i] + wpe[place * c + i % c];
              dwte[ids[n] * c + i % c] += dy[i];
              dwpe[place * c + i % c] += dy[i];
            }
            Tensor out = f.nan(b, s, c);
            Tensor idt = f.integers(ids, b, s);
            Tensor pt = f.integers(positions, b);
            Tensor table = f.tensor(wte, v, c);
            f.ops().embed(out, idt, table, f.tensor(wpe, p, c), pt);
            Fixture.close("embed", y, Fixture.bound(y, 1, 0), f.read(out));
            f.ops().embed(out, idt, table, null, pt);
            Fixture.close("embed without wpe", bare, new double[bare.length], f.read(out));
            Tensor dyt = f.tensor(dy, b, s, c);
            double[] bound = new double[dwte.length];
            Arrays.fill(bound, b * s * Fixture.EPS * 10);
            f.sink("dwte", dwte, bound, x -> f.ops().embedBackward(x, null, dyt, idt, pt), v, c);
            double[] wider = new double[dwpe.length];
            Arrays.fill(wider, b * s * Fixture.EPS * 10);
            Sink any = Sink.set(f.nan(v, c));
            f.sink("dwpe", dwpe, wider, x -> f.ops().embedBackward(any, x, dyt, idt, pt), p, c);
          }
        });
  }

  @Test
  void crossEntropy() {
    Fixture.everywhere(
        f -> {
          for (int[] z : new int[][] {{1, 1}, {3, 2}, {7, 13}, {200, 65}, {5, 1000}, {2, 50257}}) {
            for (float size : new float[] {1, 30, 1e4f}) {
              entropy(f, z[0], z[1], size);
            }
          }
        });
  }

  private static void entropy(Fixture f, int n, int v, float size) {
    float[] x = f.numbers(n * v, size);
    int[] targets = f.integers(n, v);
    if (n > 2) {
      targets[1] = -100;
    }
    double[] losses = new double[n];
    double[] dx = new double[n * v];
    double[] lossBound = new double[n];
    double[] bound = new double[n * v];
    for (int r = 0; r < n; r++) {
      if (targets[r] == -100) {
        continue;
      }
      double max = Double.NEGATIVE_INFINITY;
      for (int j = 0; j < v; j++) {
        max = Math.max(max, x[r * v + j]);
      }
      double sum = 0;
      for (int j = 0; j < v; j++) {
        sum += Math.exp(x[r * v + j] - max);
      }
      losses[r] = max + Math.log(sum) - x[r * v + targets[r]];
      // the difference to the maximum is rounded before the exponential, and so is the loss
      lossBound[r] = Fixture.EPS * (4 * losses[r] + 2 * Math.abs(max) + 64);
      for (int j = 0; j < v; j++) {
        double p = Math.exp(x[r * v + j] - max) / sum;
        dx[r * v + j] = 0.25 * (p - (j == targets[r] ? 1 : 0));
        double gap = max - x[r * v + j];
        bound[r * v + j] = Fixture.EPS * (0.25 * p * (64 + 2 * gap) + 0.5) + 1e-37;
      }
    }
    Tensor logits = f.tensor(x, n, v);
    Tensor wanted = f.integers(targets, n);
    Tensor loss = f.nan(n);
    Tensor grad = f.nan(n, v);
    f.ops().crossEntropy(loss, null, logits, wanted, -100, 0.25f);
    Fixture.close("loss", losses, lossBound, f.read(loss));
    f.ops().crossEntropy(loss, grad, logits, wanted, -100, 0.25f);
    Fixture.close("loss", losses, lossBound, f.read(loss));
    Fixture.close("dx", dx, bound, f.read(grad));
    f.ops().crossEntropy(loss, logits, logits, wanted, -100, 0.25f);
    Fixture.close("dx in place", dx, bound, f.read(logits));
  }
}
