package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import org.quern.core.Activation;
import org.quern.core.Sink;

/// Activations, block by block through arrays that stay in the first-level cache.
final class VectorActivations {
  private static final int BLOCK = 2048;
  private static final int L = Lanes.COUNT;

  // The arrays of a scratch.
  private static final int VALUES = 4;
  private static final int ASIDE = 5;
  private static final int GRADIENT = 6;

  private VectorActivations() {}

  /// `y = f(x)`; `y` may be `x`. Offsets are elements.
  static void apply(
      Scratch scratch, MemorySegment y, MemorySegment x, long at, int n, Activation f) {
    if (f == Activation.NONE) {
      Native.copy(y, at, x, at, n);
      return;
    }
    float[] values = scratch.floats(VALUES, BLOCK);
    float[] aside = scratch.floats(ASIDE, BLOCK);
    for (int i = 0; i < n; i += BLOCK) {
      int count = Math.min(BLOCK, n - i);
      int whole = CpuOps.parts(count, L) * L;
      Native.load(values, 0, x, at + i, count);
      switch (f) {
        case NONE -> {}
        case RELU -> relu(values, whole);
        case GELU_TANH -> VectorMath.geluTanh(values, whole);
        case GELU_ERF -> VectorMath.geluErf(values, aside, whole);
      }
      Native.store(y, at + i, values, 0, count);
    }
  }

  /// `dx = dy f'(h)`; `dx` may be `dy`. Offsets are elements.
  static void backward(
      Scratch scratch,
      MemorySegment dx,
      Sink.Mode mode,
      MemorySegment dy,
      MemorySegment h,
      long at,
      int n,
      Activation f) {
    float[] pre = scratch.floats(VALUES, BLOCK);
    float[] aside = scratch.floats(ASIDE, BLOCK);
    float[] gradient = scratch.floats(GRADIENT, BLOCK);
    for (int i = 0; i < n; i += BLOCK) {
      int count = Math.min(BLOCK, n - i);
      int whole = CpuOps.parts(count, L) * L;
      Native.load(pre, 0, h, at + i, count);
      Native.load(gradient, 0, dy, at + i, count);
      switch (f) {
        case NONE -> {}
        case RELU -> reluBackward(pre, gradient, count);
        case GELU_TANH -> VectorMath.geluTanhBackward(pre, gradient, whole);
        case GELU_ERF -> {
          VectorMath.geluErfSlope(pre, aside, whole);
          multiply(gradient, pre, count);
        }
      }
      VectorKernels.sink(scratch, dx, mode, at + i, count, gradient);
    }
  }

  // Simple enough for the JIT to vectorize.

  private static void relu(float[] x, int n) {
    for (int i = 0; i < n; i++) {
      x[i] = x[i] < 0 ? 0 : x[i]; // NaN stays
    }
  }

  private static void reluBackward(float[] x, float[] g, int n) {
    for (int i = 0; i < n; i++) {
      g[i] = x[i] > 0 ? g[i] : 0;
    }
  }

  private static void multiply(float[] a, float[] b, int n) {
    for (int i = 0; i < n; i++) {
      a[i] *= b[i];
    }
  }
}
