package org.quern.cpu;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Activation;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

@ExtendWith(Tier.class)
class MatmulTest {
  private static final int[][] SIZES = {
    {1, 1, 1},
    {1, 7, 13},
    {3, 1, 7},
    {7, 13, 1},
    {13, 3, 127},
    {2, 33, 16},
    {1, 127, 64},
    {4, 65, 48},
    {5, 64, 31},
    {12, 32, 8},
    {16, 129, 33},
    {24, 64, 96},
    {127, 65, 64},
    {64, 127, 127},
    {61, 96, 771},
    {33, 31, 1700},
    {260, 200, 40}
  };

  private static double[][] reference(
      float[] a, Trans ta, float[] b, Trans tb, int m, int n, int k, float alpha) {
    double[] value = new double[m * n];
    double[] bound = new double[m * n];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        double sum = 0;
        double size = 0;
        for (int l = 0; l < k; l++) {
          double x = ta == Trans.N ? a[i * k + l] : a[l * m + i];
          double y = tb == Trans.N ? b[l * n + j] : b[j * k + l];
          sum += x * y;
          size += Math.abs(x * y);
        }
        value[i * n + j] = alpha * sum;
        bound[i * n + j] = Math.abs(alpha) * (k + 2) * Fixture.EPS * size + 1e-30;
      }
    }
    return new double[][] {value, bound};
  }

  @Test
  void everyTransposition() {
    Fixture.everywhere(
        f -> {
          for (int[] s : SIZES) {
            int m = s[0];
            int n = s[1];
            int k = s[2];
            float[] a = f.numbers(m * k, 1);
            float[] b = f.numbers(k * n, 1);
            for (Trans ta : Trans.values()) {
              for (Trans tb : Trans.values()) {
                float alpha = ta == tb ? 1 : -0.3f;
                double[][] r = reference(a, ta, b, tb, m, n, k, alpha);
                Tensor at = ta == Trans.N ? f.tensor(a, m, k) : f.tensor(a, k, m);
                Tensor bt = tb == Trans.N ? f.tensor(b, k, n) : f.tensor(b, n, k);
                String what = "matmul %s%s %s".formatted(ta, tb, Arrays.toString(s));
                f.sink(what, r[0], r[1], c -> f.ops().matmul(c, at, ta, bt, tb, alpha), m, n);
              }
            }
          }
        });
  }

  @Test
  void batches() {
    Fixture.everywhere(
        f -> {
          for (int[] s : new int[][] {{3, 5, 7, 11}, {6, 33, 17, 40}, {2, 70, 96, 64}}) {
            int m = s[1];
            int n = s[2];
            int k = s[3];
            float[] a = f.numbers(s[0] * m * k, 1);
            float[] b = f.numbers(s[0] * k * n, 1);
            double[] value = new double[s[0] * m * n];
            double[] bound = new double[s[0] * m * n];
            for (int i = 0; i < s[0]; i++) {
              float[] ai = Arrays.copyOfRange(a, i * m * k, (i + 1) * m * k);
              float[] bi = Arrays.copyOfRange(b, i * n * k, (i + 1) * n * k);
              double[][] r = reference(ai, Trans.T, bi, Trans.N, m, n, k, 1);
              System.arraycopy(r[0], 0, value, i * m * n, m * n);
              System.arraycopy(r[1], 0, bound, i * m * n, m * n);
            }
            Tensor at = f.tensor(a, s[0], k, m);
            Tensor bt = f.tensor(b, s[0], k, n);
            f.sink(
                "batched",
                value,
                bound,
                c -> f.ops().matmul(c, at, Trans.T, bt, Trans.N, 1),
                s[0],
                m,
                n);
          }
        });
  }

  @Test
  void linearWithBiasAndActivationPreparedOrNot() {
    Fixture.everywhere(
        f -> {
          for (int[] s : SIZES) {
            int n = s[0];
            int o = s[1];
            int c = s[2];
            float[] x = f.numbers(n * c, 1);
            float[] w = f.numbers(o * c, 1);
            float[] bias = f.numbers(o, 1);
            double[][] r = reference(x, Trans.N, w, Trans.T, n, o, c, 1);
            for (Activation act : Activation.values()) {
              double[] h = new double[n * o];
              double[] y = new double[n * o];
              double[] hBound = new double[n * o];
              double[] yBound = new double[n * o];
              for (int i = 0; i < n * o; i++) {
                h[i] = r[0][i] + bias[i % o];
                y[i] = ElementwiseTest.activation(act, h[i]);
                hBound[i] = r[1][i] + 2 * Fixture.EPS * (Math.abs(h[i]) + 1);
                // no derivative is above 1.13
                yBound[i] = 1.2 * hBound[i] + 16 * Fixture.EPS * Math.abs(y[i]) + 1e-37;
              }
              Tensor xt = f.tensor(x, n, c);
              Tensor wt = f.tensor(w, o, c);
              Tensor bt = f.tensor(bias, o);
              for (Tensor weight : new Tensor[] {wt, f.backend().prepare(wt, f.scope())}) {
                Tensor pre = f.nan(n, o);
                Tensor out = f.nan(n, o);
                f.ops().linear(out, pre, xt, weight, bt, act);
                Fixture.close("h " + Arrays.toString(s), h, hBound, f.read(pre));
                Fixture.close(act + " " + Arrays.toString(s), y, yBound, f.read(out));
                Tensor same = f.nan(n, o);
                f.ops().linear(same, same, xt, weight, bt, act);
                Fixture.close(act + " in place", y, yBound, f.read(same));
                Tensor plain = f.nan(n, o);
                f.ops().linear(plain, plain, xt, weight, null, Activation.NONE);
                Fixture.close("no bias", r[0], r[1], f.read(plain));
              }
            }
          }
        });
  }

  @Test
  void linearBackward() {
    Fixture.everywhere(
        f -> {
          for (int[] s : new int[][] {{5, 7, 3}, {70, 65, 33}, {1000, 40, 24}}) {
            int n = s[0];
            int o = s[1];
            int c = s[2];
            float[] dh = f.numbers(n * o, 1);
            float[] x = f.numbers(n * c, 1);
            float[] w = f.numbers(o * c, 1);
            double[][] dx = reference(dh, Trans.N, w, Trans.N, n, c, o, 1);
            double[][] dw = reference(dh, Trans.T, x, Trans.N, o, c, n, 1);
            Tensor dht = f.tensor(dh, n, o);
            Tensor xt = f.tensor(x, n, c);
            Tensor wt = f.tensor(w, o, c);
            f.sink(
                "dx",
                dx[0],
                dx[1],
                k -> f.ops().linearBackward(k, Sink.set(f.nan(o, c)), null, dht, xt, wt),
                n,
                c);
            f.sink(
                "dw",
                dw[0],
                dw[1],
                k -> f.ops().linearBackward(null, k, Sink.set(f.nan(o)), dht, xt, wt),
                o,
                c);
          }
        });
  }
}
