package org.quern.cpu;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Sink;
import org.quern.core.Tensor;

@ExtendWith(Tier.class)
class NormTest {
  private static final int[][] SIZES = {
    {1, 1}, {3, 7}, {5, 13}, {2, 64}, {33, 127}, {7, 384}, {300, 65}, {3, 1601}
  };
  private static final float EPSILON = 1e-5f;

  /// One case in f64.
  private static final class Case {
    final int rows;
    final int width;
    final float[] x;
    final float[] gamma;
    final float[] beta;
    final float[] dy;
    final double[] mean;
    final double[] rstd;
    final double[] y;
    final double[] dx;
    final double[] dgamma;
    final double[] dbeta;
    final double[] gammaBound;
    final double[] betaBound;

    Case(Fixture f, int rows, int width) {
      this.rows = rows;
      this.width = width;
      x = f.numbers(rows * width, 3);
      for (int i = 0; i < x.length; i++) {
        x[i] += 2;
      }
      gamma = f.numbers(width, 2);
      beta = f.numbers(width, 2);
      dy = f.numbers(rows * width, 1);
      mean = new double[rows];
      rstd = new double[rows];
      y = new double[rows * width];
      dx = new double[rows * width];
      dgamma = new double[width];
      dbeta = new double[width];
      gammaBound = new double[width];
      betaBound = new double[width];
      for (int r = 0; r < rows; r++) {
        row(r);
      }
    }

    private void row(int r) {
      for (int c = 0; c < width; c++) {
        mean[r] += x[r * width + c] / (double) width;
      }
      double variance = 0;
      for (int c = 0; c < width; c++) {
        variance += Math.pow(x[r * width + c] - mean[r], 2) / width;
      }
      rstd[r] = 1 / Math.sqrt(variance + EPSILON);
      double e = 0;
      double ex = 0;
      for (int c = 0; c < width; c++) {
        int i = r * width + c;
        double xhat = (x[i] - mean[r]) * rstd[r];
        y[i] = xhat * gamma[c] + beta[c];
        e += dy[i] * (double) gamma[c] / width;
        ex += dy[i] * (double) gamma[c] * xhat / width;
        dgamma[c] += dy[i] * xhat;
        dbeta[c] += dy[i];
        gammaBound[c] += Fixture.EPS * (rows + 64) * (Math.abs(dy[i]) * (Math.abs(xhat) + 4));
        betaBound[c] += Fixture.EPS * (rows + 2) * Math.abs(dy[i]);
      }
      for (int c = 0; c < width; c++) {
        int i = r * width + c;
        double xhat = (x[i] - mean[r]) * rstd[r];
        dx[i] = rstd[r] * (dy[i] * (double) gamma[c] - e - xhat * ex);
      }
    }

    /// The statistics carry the error of a sum of `width` terms of size up to 5 each, though far
    /// from all in one direction; a row of one element is all cancellation.
    double unit(int r) {
      return Fixture.EPS * (32 + width / 8.0) * Math.max(1, rstd[r]);
    }

    double[] rowBounds(double factor) {
      double[] out = new double[rows * width];
      for (int i = 0; i < out.length; i++) {
        out[i] = factor * unit(i / width) * 8;
      }
      return out;
    }

    double[] statistics(double[] values) {
      double[] out = new double[rows];
      for (int r = 0; r < rows; r++) {
        out[r] = unit(r) * Math.max(1, Math.abs(values[r])) * 4;
      }
      return out;
    }
  }

  @Test
  void forward() {
    Fixture.everywhere(
        f -> {
          for (int[] s : SIZES) {
            Case k = new Case(f, s[0], s[1]);
            Tensor y = f.nan(k.rows, k.width);
            Tensor mean = f.nan(k.rows);
            Tensor rstd = f.nan(k.rows);
            Tensor x = f.tensor(k.x, k.rows, k.width);
            Tensor gamma = f.tensor(k.gamma, k.width);
            f.ops().layerNorm(y, mean, rstd, x, gamma, f.tensor(k.beta, k.width), EPSILON);
            Fixture.close("y", k.y, k.rowBounds(1), f.read(y));
            Fixture.close("mean", k.mean, k.statistics(k.mean), f.read(mean));
            Fixture.close("rstd", k.rstd, k.statistics(k.rstd), f.read(rstd));
            f.ops().layerNorm(y, mean, rstd, x, gamma, null, EPSILON);
            double[] plain = k.y.clone();
            for (int i = 0; i < plain.length; i++) {
              plain[i] -= k.beta[i % k.width];
            }
            Fixture.close("without beta", plain, k.rowBounds(1), f.read(y));
          }
        });
  }

  @Test
  void sumAndNormTogetherAreTheTwo() {
    Fixture.everywhere(
        f -> {
          for (int[] s : SIZES) {
            Case k = new Case(f, s[0], s[1]);
            float[] a = k.x.clone();
            float[] b = new float[a.length];
            for (int i = 0; i < a.length; i++) {
              b[i] = a[i] / 4; // exact, and so is what is left
              a[i] -= b[i];
            }
            double[] sum = new double[a.length];
            for (int i = 0; i < a.length; i++) {
              sum[i] = (double) a[i] + b[i];
            }
            Tensor y = f.nan(k.rows, k.width);
            Tensor total = f.tensor(a, k.rows, k.width);
            Tensor mean = f.nan(k.rows);
            Tensor rstd = f.nan(k.rows);
            Tensor gamma = f.tensor(k.gamma, k.width);
            Tensor beta = f.tensor(k.beta, k.width);
            Tensor bt = f.tensor(b, k.rows, k.width);
            f.ops().addLayerNorm(total, y, mean, rstd, total, bt, gamma, beta, EPSILON);
            Fixture.close("sum", sum, Fixture.bound(sum, 1, 0), f.read(total));
            Fixture.close("y", k.y, k.rowBounds(1.5), f.read(y));
          }
        });
  }

  @Test
  void backward() {
    Fixture.everywhere(
        f -> {
          for (int[] s : SIZES) {
            Case k = new Case(f, s[0], s[1]);
            Tensor dy = f.tensor(k.dy, k.rows, k.width);
            Tensor x = f.tensor(k.x, k.rows, k.width);
            Tensor gamma = f.tensor(k.gamma, k.width);
            Tensor mean = f.tensor(rounded(k.mean), k.rows);
            Tensor rstd = f.tensor(rounded(k.rstd), k.rows);
            Sink any = Sink.set(f.nan(k.width));
            Sink wide = Sink.set(f.nan(k.rows, k.width));
            double[] bound = k.rowBounds(4);
            for (int i = 0; i < bound.length; i++) {
              bound[i] *= Math.max(1, k.rstd[i / k.width] * k.rstd[i / k.width]);
            }
            f.sink(
                "dx",
                k.dx,
                bound,
                d -> f.ops().layerNormBackward(d, any, null, dy, x, gamma, mean, rstd),
                k.rows,
                k.width);
            f.sink(
                "dgamma",
                k.dgamma,
                k.gammaBound,
                d -> f.ops().layerNormBackward(wide, d, any, dy, x, gamma, mean, rstd),
                k.width);
            f.sink(
                "dbeta",
                k.dbeta,
                k.betaBound,
                d -> f.ops().layerNormBackward(wide, any, d, dy, x, gamma, mean, rstd),
                k.width);
            f.sink("sumRows", k.dbeta, k.betaBound, d -> f.ops().sumRows(d, dy), k.width);
          }
        });
  }

  private static float[] rounded(double[] values) {
    float[] out = new float[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = (float) values[i];
    }
    return out;
  }
}
