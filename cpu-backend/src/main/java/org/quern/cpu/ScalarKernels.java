package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.Sink;

/// Plain Java: ranges are copied to arrays, computed there, and copied back.
final class ScalarKernels implements Kernels {
  private static float[] load(Scratch scratch, int slot, MemorySegment x, long at, int count) {
    float[] out = scratch.floats(slot, count);
    Native.load(out, 0, x, at, count);
    return out;
  }

  /// Writes `values`, or adds them to what is there; then they change.
  private static void store(
      Scratch scratch, MemorySegment y, Sink.Mode mode, float[] values, long at, int count) {
    if (mode == Sink.Mode.ADD) {
      float[] old = load(scratch, Slots.OLD, y, at, count);
      for (int i = 0; i < count; i++) {
        values[i] += old[i];
      }
    }
    Native.store(y, at, values, 0, count);
  }

  @Override
  public void fill(MemorySegment y, long at, int count, float value) {
    if (Float.floatToRawIntBits(value) == 0) {
      y.asSlice(at * Float.BYTES, (long) count * Float.BYTES).fill((byte) 0);
      return;
    }
    for (int i = 0; i < count; i++) {
      Native.set(y, at + i, value);
    }
  }

  @Override
  public void add(
      Scratch scratch,
      MemorySegment y,
      long yAt,
      MemorySegment a,
      long aAt,
      MemorySegment b,
      long bAt,
      int count) {
    float[] left = load(scratch, 0, a, aAt, count);
    float[] right = load(scratch, 1, b, bAt, count);
    for (int i = 0; i < count; i++) {
      left[i] += right[i];
    }
    Native.store(y, yAt, left, 0, count);
  }

  @Override
  public void axpy(
      Scratch scratch,
      MemorySegment y,
      long yAt,
      Sink.Mode mode,
      float alpha,
      MemorySegment x,
      long xAt,
      int count) {
    float[] values = load(scratch, 0, x, xAt, count);
    for (int i = 0; i < count; i++) {
      values[i] *= alpha;
    }
    store(scratch, y, mode, values, yAt, count);
  }

  @Override
  public void biasActivation(
      Scratch scratch,
      MemorySegment y,
      MemorySegment h,
      int rows,
      int stride,
      long at,
      @Nullable MemorySegment bias,
      int biasAt,
      int count,
      Activation f) {
    for (int row = 0; row < rows; row++) {
      long first = at + (long) row * stride;
      float[] values = load(scratch, 0, h, first, count);
      if (bias != null) {
        float[] add = load(scratch, 1, bias, biasAt, count);
        for (int i = 0; i < count; i++) {
          values[i] += add[i];
        }
        Native.store(h, first, values, 0, count);
      }
      Functions.apply(values, count, f);
      Native.store(y, first, values, 0, count);
    }
  }

  @Override
  public void activationBackward(
      Scratch scratch,
      MemorySegment dx,
      Sink.Mode mode,
      MemorySegment dy,
      MemorySegment h,
      long at,
      int count,
      Activation f) {
    float[] slopes = load(scratch, 0, h, at, count);
    float[] grad = load(scratch, 1, dy, at, count);
    Functions.derive(slopes, count, f);
    for (int i = 0; i < count; i++) {
      grad[i] *= slopes[i];
    }
    store(scratch, dx, mode, grad, at, count);
  }

  @Override
  public void dropoutFactors(
      Scratch scratch, float[] factors, long seed, long first, int count, float rate) {
    Dropout.factors(factors, seed, first, count, rate);
  }

  @Override
  public void dropout(
      Scratch scratch,
      MemorySegment y,
      Sink.Mode mode,
      MemorySegment x,
      long at,
      int count,
      float[] factors) {
    float[] values = load(scratch, 0, x, at, count);
    drop(values, factors, count);
    store(scratch, y, mode, values, at, count);
  }

  /// A dropped value is 0 even where it was not finite.
  private static void drop(float[] values, float[] factors, int count) {
    for (int i = 0; i < count; i++) {
      values[i] = factors[i] == 0 ? 0 : values[i] * factors[i];
    }
  }

  @Override
  public void sumRows(
      Scratch scratch,
      MemorySegment y,
      Sink.Mode mode,
      MemorySegment x,
      int rows,
      int width,
      int at,
      int count) {
    float[] sum = scratch.floats(0, count);
    Arrays.fill(sum, 0, count, 0);
    for (int row = 0; row < rows; row++) {
      float[] part = load(scratch, 1, x, (long) row * width + at, count);
      for (int i = 0; i < count; i++) {
        sum[i] += part[i];
      }
    }
    store(scratch, y, mode, sum, at, count);
  }

  @Override
  public void layerNormRow(
      Scratch scratch,
      MemorySegment y,
      MemorySegment mean,
      MemorySegment rstd,
      MemorySegment x,
      MemorySegment gamma,
      @Nullable MemorySegment beta,
      float epsilon,
      int row,
      int width) {
    long at = (long) row * width;
    float[] values = load(scratch, 0, x, at, width);
    float[] g = load(scratch, 1, gamma, 0, width);
    double sum = 0;
    for (int c = 0; c < width; c++) {
      sum += values[c];
    }
    float m = (float) (sum / width);
    double squares = 0;
    for (int c = 0; c < width; c++) {
      double d = values[c] - m;
      squares += d * d;
    }
    float r = (float) (1 / Math.sqrt(squares / width + epsilon));
    for (int c = 0; c < width; c++) {
      values[c] = (values[c] - m) * r * g[c];
    }
    if (beta != null) {
      float[] b = load(scratch, 1, beta, 0, width);
      for (int c = 0; c < width; c++) {
        values[c] += b[c];
      }
    }
    Native.store(y, at, values, 0, width);
    Native.set(mean, row, m);
    Native.set(rstd, row, r);
  }

  @Override
  public void layerNormBackwardRow(
      Scratch scratch,
      MemorySegment dx,
      Sink.Mode mode,
      MemorySegment dy,
      MemorySegment x,
      MemorySegment gamma,
      float mean,
      float rstd,
      int row,
      int width) {
    long at = (long) row * width;
    float[] e = load(scratch, 0, dy, at, width);
    float[] xhat = load(scratch, 1, x, at, width);
    float[] g = load(scratch, 2, gamma, 0, width);
    double sum = 0;
    double dot = 0;
    for (int c = 0; c < width; c++) {
      e[c] *= g[c];
      xhat[c] = (xhat[c] - mean) * rstd;
      sum += e[c];
      dot += e[c] * xhat[c];
    }
    float a = (float) (sum / width);
    float b = (float) (dot / width);
    for (int c = 0; c < width; c++) {
      e[c] = rstd * (e[c] - a - xhat[c] * b);
    }
    store(scratch, dx, mode, e, at, width);
  }

  @Override
  public void layerNormBackwardColumns(
      Scratch scratch,
      MemorySegment dgamma,
      Sink.Mode gammaMode,
      @Nullable MemorySegment dbeta,
      Sink.Mode betaMode,
      MemorySegment dy,
      MemorySegment x,
      float[] mean,
      float[] rstd,
      int width,
      int at,
      int count) {
    float[] g = scratch.floats(0, count);
    float[] b = scratch.floats(1, count);
    Arrays.fill(g, 0, count, 0);
    Arrays.fill(b, 0, count, 0);
    for (int row = 0; row < mean.length; row++) {
      long first = (long) row * width + at;
      float[] grad = load(scratch, 2, dy, first, count);
      float[] values = load(scratch, 3, x, first, count);
      float m = mean[row];
      float r = rstd[row];
      for (int i = 0; i < count; i++) {
        g[i] += grad[i] * ((values[i] - m) * r);
        b[i] += grad[i];
      }
    }
    store(scratch, dgamma, gammaMode, g, at, count);
    if (dbeta != null) {
      store(scratch, dbeta, betaMode, b, at, count);
    }
  }

  /// {@return a number, or 0 for one below the normal ones, at which most processors are slow}
  private static float normal(float x) {
    return Math.abs(x) < Float.MIN_NORMAL ? 0 : x;
  }

  @Override
  public float softmaxRow(
      Scratch scratch,
      MemorySegment y,
      MemorySegment x,
      long at,
      int count,
      float scale,
      float @Nullable [] factors) {
    float[] values = load(scratch, 0, x, at, count);
    float max = Float.NEGATIVE_INFINITY;
    for (int j = 0; j < count; j++) {
      values[j] *= scale;
      max = Math.max(max, values[j]);
    }
    double sum = 0;
    for (int j = 0; j < count; j++) {
      values[j] = (float) Math.exp(values[j] - max);
      sum += values[j];
    }
    float inverse = (float) (1 / sum);
    for (int j = 0; j < count; j++) {
      values[j] = normal(values[j] * inverse);
    }
    if (factors != null) {
      drop(values, factors, count);
    }
    Native.store(y, at, values, 0, count);
    return (float) (max + Math.log(sum));
  }

  @Override
  public void softmaxBackwardRow(
      Scratch scratch,
      MemorySegment dx,
      Sink.Mode mode,
      MemorySegment dy,
      MemorySegment x,
      long at,
      int count,
      float scale,
      float lse,
      float @Nullable [] factors) {
    float[] p = load(scratch, 0, x, at, count);
    float[] dp = load(scratch, 1, dy, at, count);
    if (factors != null) {
      drop(dp, factors, count);
    }
    double dot = 0;
    for (int j = 0; j < count; j++) {
      p[j] = (float) Math.exp(scale * p[j] - lse);
      dot += p[j] * dp[j];
    }
    float d = (float) dot;
    for (int j = 0; j < count; j++) {
      p[j] = scale * p[j] * (dp[j] - d);
    }
    store(scratch, dx, mode, p, at, count);
  }

  @Override
  public float crossEntropyRow(
      Scratch scratch,
      @Nullable MemorySegment dx,
      MemorySegment x,
      long at,
      int width,
      int target,
      float scale) {
    float[] values = load(scratch, 0, x, at, width);
    float wanted = values[target];
    float max = Float.NEGATIVE_INFINITY;
    for (int v = 0; v < width; v++) {
      max = Math.max(max, values[v]);
    }
    double sum = 0;
    for (int v = 0; v < width; v++) {
      values[v] = (float) Math.exp(values[v] - max);
      sum += values[v];
    }
    if (dx != null) {
      float factor = (float) (scale / sum);
      for (int v = 0; v < width; v++) {
        values[v] = normal(values[v] * factor);
      }
      values[target] -= scale;
      Native.store(dx, at, values, 0, width);
    }
    return (float) (Math.log(sum) + (max - wanted));
  }

  @Override
  public void adamW(
      Scratch scratch,
      MemorySegment w,
      MemorySegment m,
      MemorySegment v,
      MemorySegment g,
      long at,
      int count,
      AdamWSpec spec) {
    float[] weights = load(scratch, 0, w, at, count);
    float[] first = load(scratch, 1, m, at, count);
    float[] second = load(scratch, 2, v, at, count);
    float[] grad = load(scratch, 3, g, at, count);
    float rate = spec.learningRate() / spec.correction1();
    float keep = 1 - spec.learningRate() * spec.weightDecay();
    float inverse = 1 / spec.correction2();
    for (int i = 0; i < count; i++) {
      float d = grad[i] * spec.gradScale();
      first[i] = normal(spec.beta1() * first[i] + (1 - spec.beta1()) * d);
      second[i] = normal(spec.beta2() * second[i] + (1 - spec.beta2()) * (d * d));
      float root = (float) Math.sqrt(second[i] * inverse) + spec.epsilon();
      weights[i] = weights[i] * keep - rate * first[i] / root;
    }
    Native.store(w, at, weights, 0, count);
    Native.store(m, at, first, 0, count);
    Native.store(v, at, second, 0, count);
  }

  @Override
  public double sumOfSquares(Scratch scratch, MemorySegment x, long at, int count) {
    float[] values = load(scratch, 0, x, at, count);
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += (double) values[i] * values[i];
    }
    return sum;
  }
}
