package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.Sink;

/// Kernels with the Vector API. What would need a second version for adding, and is rare, goes
/// through temporary memory.
final class VectorKernels implements Kernels {
  private static final int L = Lanes.COUNT;

  // The arrays of a scratch.
  private static final int LANES = 4;
  private static final int FIRST = 5;
  private static final int SECOND = 6;

  /// The panel of a scratch for results that are to be added.
  private static final int RESULT = 1;

  private static float[] lanes(Scratch scratch) {
    return scratch.floats(LANES, 2 * L);
  }

  private static long bytes(long floats) {
    return floats * Float.BYTES;
  }

  /// Computes a part of a result: straight to its place, or aside.
  private interface Part {
    /// Writes bytes `at` of the tensor to byte `at + shift` of `to`.
    void run(MemorySegment to, long shift);
  }

  private static void sink(
      Scratch scratch, MemorySegment y, Sink.Mode mode, long at, int count, Part part) {
    switch (mode) {
      case SET -> part.run(y, 0);
      case ADD -> {
        MemorySegment aside = scratch.panel(RESULT, count);
        part.run(aside, -bytes(at));
        VectorElements.addScaled(y, bytes(at), 1, aside, 0, count);
      }
    }
  }

  /// Stores values, or adds them to what is there; then they change.
  static void sink(
      Scratch scratch, MemorySegment y, Sink.Mode mode, long at, int count, float[] values) {
    if (mode == Sink.Mode.ADD) {
      float[] old = scratch.floats(Slots.OLD, count);
      Native.load(old, 0, y, at, count);
      for (int i = 0; i < count; i++) {
        values[i] += old[i];
      }
    }
    Native.store(y, at, values, 0, count);
  }

  @Override
  public void fill(MemorySegment y, long at, int count, float value) {
    VectorElements.fill(y, bytes(at), count, value);
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
    VectorElements.add(y, bytes(yAt), a, bytes(aAt), b, bytes(bAt), count);
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
    switch (mode) {
      case SET -> VectorElements.scale(y, bytes(yAt), alpha, x, bytes(xAt), count);
      case ADD -> VectorElements.addScaled(y, bytes(yAt), alpha, x, bytes(xAt), count);
    }
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
      long first = bytes(at + (long) row * stride);
      if (bias != null) {
        VectorElements.add(h, first, h, first, bias, bytes(biasAt), count);
      }
      VectorActivations.apply(scratch, y, h, at + (long) row * stride, count, f);
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
    VectorActivations.backward(scratch, dx, mode, dy, h, at, count, f);
  }

  @Override
  public void dropoutFactors(
      Scratch scratch, float[] factors, long seed, long first, int count, float rate) {
    VectorDropout.factors(scratch, Slots.OLD, factors, seed, first, count, rate);
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
    switch (mode) {
      case SET -> VectorElements.dropout(y, x, bytes(at), count, factors);
      case ADD -> VectorElements.addDropout(y, x, bytes(at), count, factors);
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
    float[] out = scratch.floats(FIRST, count + L);
    long stride = bytes(width);
    int j = 0;
    for (; j + 4 * L <= count; j += 4 * L) {
      VectorNorm.sumRows4(out, j, x, bytes((long) at + j), stride, rows);
    }
    for (; j < count; j += L) {
      int columns = Math.min(L, count - j);
      VectorNorm.sumRows1(out, j, x, bytes((long) at + j), stride, rows, columns);
    }
    sink(scratch, y, mode, at, count, out);
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
    float[] lanes = lanes(scratch);
    long at = bytes((long) row * width);
    float m = (float) (VectorNorm.sum(lanes, x, at, width) / width);
    double variance = VectorNorm.squares(lanes, x, at, width, m) / width;
    float r = (float) (1 / Math.sqrt(variance + epsilon));
    VectorNorm.normalize(y, x, at, width, m, r, gamma, beta);
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
    float[] lanes = lanes(scratch);
    long at = (long) row * width;
    VectorNorm.backwardSums(lanes, dy, x, bytes(at), width, mean, rstd, gamma);
    float a = (float) (Lanes.sumWide(lanes, 0) / width);
    float b = (float) (Lanes.sumWide(lanes, L) / width);
    sink(
        scratch,
        dx,
        mode,
        at,
        width,
        (to, shift) ->
            VectorNorm.backward(to, shift, dy, x, bytes(at), width, mean, rstd, gamma, a, b));
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
    float[] g = scratch.floats(FIRST, count + L);
    float[] b = scratch.floats(SECOND, count + L);
    long stride = bytes(width);
    int j = 0;
    for (; j + 2 * L <= count; j += 2 * L) {
      VectorNorm.backwardColumns2(g, b, j, dy, x, bytes((long) at + j), stride, mean, rstd);
    }
    for (; j < count; j += L) {
      int columns = Math.min(L, count - j);
      VectorNorm.backwardColumns1(
          g, b, j, dy, x, bytes((long) at + j), stride, mean, rstd, columns);
    }
    sink(scratch, dgamma, gammaMode, at, count, g);
    if (dbeta != null) {
      sink(scratch, dbeta, betaMode, at, count, b);
    }
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
    return VectorSoftmax.softmax(scratch, y, x, at, count, scale, factors);
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
    float[] result = VectorSoftmax.softmaxBackward(scratch, dy, x, at, count, scale, lse, factors);
    sink(scratch, dx, mode, at, count, result);
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
    return VectorSoftmax.crossEntropy(scratch, dx, x, at, width, target, scale);
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
    VectorElements.adamW(w, m, v, g, bytes(at), count, spec);
  }

  @Override
  public double sumOfSquares(Scratch scratch, MemorySegment x, long at, int count) {
    return VectorElements.sumOfSquares(lanes(scratch), x, bytes(at), count);
  }
}
