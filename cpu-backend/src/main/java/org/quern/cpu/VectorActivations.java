package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.quern.core.Activation;

/// Activations over segments, one loop each so that the JIT sees small bodies. Offsets are bytes.
final class VectorActivations {
  private static final VectorSpecies<Float> S = FloatVector.SPECIES_PREFERRED;
  private static final ByteOrder LE = ByteOrder.LITTLE_ENDIAN;
  private static final int L = S.length();
  private static final long STEP = (long) L * Float.BYTES;

  private VectorActivations() {}

  private static FloatVector relu(FloatVector x) {
    return x.blend(0f, x.compare(VectorOperators.LT, 0f)); // NaN stays
  }

  private static FloatVector reluSlope(FloatVector x) {
    return FloatVector.zero(S).blend(1f, x.compare(VectorOperators.GT, 0f));
  }

  /// `y = f(x)`; `y` may be `x`.
  static void apply(MemorySegment y, MemorySegment x, long at, int n, Activation f) {
    long end = at + VectorElements.whole(n);
    switch (f) {
      case NONE -> MemorySegment.copy(x, at, y, at, (long) n * Float.BYTES);
      case RELU -> relu(y, x, at, end);
      case GELU_TANH -> geluTanh(y, x, at, end);
      case GELU_ERF -> geluErf(y, x, at, end);
    }
    if (n % L > 0 && f != Activation.NONE) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector v = FloatVector.fromMemorySegment(S, x, end, LE, m);
      FloatVector r =
          switch (f) {
            case NONE -> v;
            case RELU -> relu(v);
            case GELU_TANH -> VectorMath.geluTanh(v);
            case GELU_ERF -> VectorMath.geluErf(v);
          };
      r.intoMemorySegment(y, end, LE, m);
    }
  }

  private static void relu(MemorySegment y, MemorySegment x, long at, long end) {
    for (long i = at; i < end; i += STEP) {
      relu(FloatVector.fromMemorySegment(S, x, i, LE)).intoMemorySegment(y, i, LE);
    }
  }

  private static void geluTanh(MemorySegment y, MemorySegment x, long at, long end) {
    for (long i = at; i < end; i += STEP) {
      VectorMath.geluTanh(FloatVector.fromMemorySegment(S, x, i, LE)).intoMemorySegment(y, i, LE);
    }
  }

  private static void geluErf(MemorySegment y, MemorySegment x, long at, long end) {
    for (long i = at; i < end; i += STEP) {
      VectorMath.geluErf(FloatVector.fromMemorySegment(S, x, i, LE)).intoMemorySegment(y, i, LE);
    }
  }

  /// `dx = dy f'(h)`; `dx` may be `dy`.
  ///
  /// @param shift how much further on dx's part starts
  static void backward(
      MemorySegment dx,
      long shift,
      MemorySegment dy,
      MemorySegment h,
      long at,
      int n,
      Activation f) {
    long end = at + VectorElements.whole(n);
    switch (f) {
      case NONE -> VectorElements.scale(dx, at + shift, 1, dy, at, n);
      case RELU -> reluBackward(dx, shift, dy, h, at, end);
      case GELU_TANH -> geluTanhBackward(dx, shift, dy, h, at, end);
      case GELU_ERF -> geluErfBackward(dx, shift, dy, h, at, end);
    }
    if (n % L > 0 && f != Activation.NONE) {
      VectorMask<Float> m = VectorElements.tail(n);
      FloatVector v = FloatVector.fromMemorySegment(S, h, end, LE, m);
      FloatVector slope =
          switch (f) {
            case NONE -> v;
            case RELU -> reluSlope(v);
            case GELU_TANH -> VectorMath.geluTanhSlope(v);
            case GELU_ERF -> VectorMath.geluErfSlope(v);
          };
      slope
          .mul(FloatVector.fromMemorySegment(S, dy, end, LE, m))
          .intoMemorySegment(dx, end + shift, LE, m);
    }
  }

  private static void reluBackward(
      MemorySegment dx, long shift, MemorySegment dy, MemorySegment h, long at, long end) {
    for (long i = at; i < end; i += STEP) {
      reluSlope(FloatVector.fromMemorySegment(S, h, i, LE))
          .mul(FloatVector.fromMemorySegment(S, dy, i, LE))
          .intoMemorySegment(dx, i + shift, LE);
    }
  }

  private static void geluTanhBackward(
      MemorySegment dx, long shift, MemorySegment dy, MemorySegment h, long at, long end) {
    for (long i = at; i < end; i += STEP) {
      VectorMath.geluTanhSlope(FloatVector.fromMemorySegment(S, h, i, LE))
          .mul(FloatVector.fromMemorySegment(S, dy, i, LE))
          .intoMemorySegment(dx, i + shift, LE);
    }
  }

  private static void geluErfBackward(
      MemorySegment dx, long shift, MemorySegment dy, MemorySegment h, long at, long end) {
    for (long i = at; i < end; i += STEP) {
      VectorMath.geluErfSlope(FloatVector.fromMemorySegment(S, h, i, LE))
          .mul(FloatVector.fromMemorySegment(S, dy, i, LE))
          .intoMemorySegment(dx, i + shift, LE);
    }
  }
}
