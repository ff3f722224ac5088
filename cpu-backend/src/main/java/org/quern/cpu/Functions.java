package org.quern.cpu;

import org.quern.core.Activation;

/// Scalar functions in f64, rounded once, and the constants that the vector ones share.
final class Functions {
  /// `sqrt(2 / pi)`, of GELU's tanh form.
  static final double TANH_LINEAR = 0.7978845608028654;

  /// The cubic term of GELU's tanh form.
  static final double TANH_CUBIC = 0.044715;

  /// `1 / sqrt(2 pi)`.
  static final double NORMAL = 0.3989422804014327;

  /// `exp(z^2) erfc(z) = t Q(t)` with `t = 1 / (1 + z / 2)`, for z from 0 to 10: the minimax
  /// polynomial of degree 9 in relative error, 2e-8 (our own fit by Remez's algorithm). From the
  /// constant term up.
  static final float ERFC0 = 0.2820645f;

  static final float ERFC1 = 0.28285703f;
  static final float ERFC2 = 0.23864502f;
  static final float ERFC3 = 0.22554086f;
  static final float ERFC4 = -0.098314404f;
  static final float ERFC5 = 0.42126757f;
  static final float ERFC6 = -0.6700136f;
  static final float ERFC7 = 0.42892116f;
  static final float ERFC8 = -0.12325136f;
  static final float ERFC9 = 0.01228322f;

  private Functions() {}

  /// {@return `erfc(z)` for `z >= 0`, without loss of relative accuracy in the tail}
  static double erfc(double z) {
    double t = 1 / (1 + 0.5 * z);
    double q = ((((ERFC9 * t + ERFC8) * t + ERFC7) * t + ERFC6) * t + ERFC5) * t + ERFC4;
    q = (((q * t + ERFC3) * t + ERFC2) * t + ERFC1) * t + ERFC0;
    return t * q * Math.exp(-z * z);
  }

  /// {@return the cumulative normal distribution}
  static double normal(double x) {
    double tail = 0.5 * erfc(Math.abs(x) * Math.sqrt(0.5));
    return x > 0 ? 1 - tail : tail;
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  /// Applies the function in place.
  static void apply(float[] x, int count, Activation f) {
    switch (f) {
      case NONE -> {}
      case RELU -> {
        for (int i = 0; i < count; i++) {
          x[i] = x[i] < 0 ? 0 : x[i]; // NaN stays
        }
      }
      case GELU_ERF -> {
        for (int i = 0; i < count; i++) {
          x[i] = (float) (x[i] * normal(x[i]));
        }
      }
      case GELU_TANH -> {
        for (int i = 0; i < count; i++) {
          // (1 + tanh(u)) / 2 = sigmoid(2u), which keeps its relative accuracy for negative u
          double v = x[i];
          x[i] = (float) (v * sigmoid(2 * TANH_LINEAR * (v + TANH_CUBIC * v * v * v)));
        }
      }
    }
  }

  /// Replaces each pre-activation by the derivative there.
  static void derive(float[] h, int count, Activation f) {
    switch (f) {
      case NONE -> {
        for (int i = 0; i < count; i++) {
          h[i] = 1;
        }
      }
      case RELU -> {
        for (int i = 0; i < count; i++) {
          h[i] = h[i] > 0 ? 1 : 0;
        }
      }
      case GELU_ERF -> {
        for (int i = 0; i < count; i++) {
          double v = h[i];
          h[i] = (float) (normal(v) + v * NORMAL * Math.exp(-0.5 * v * v));
        }
      }
      case GELU_TANH -> {
        for (int i = 0; i < count; i++) {
          h[i] = (float) geluTanhDerivative(h[i]);
        }
      }
    }
  }

  private static double geluTanhDerivative(double v) {
    double s = sigmoid(2 * TANH_LINEAR * (v + TANH_CUBIC * v * v * v));
    double slope = 2 * TANH_LINEAR * (1 + 3 * TANH_CUBIC * v * v);
    return s + v * s * (1 - s) * slope;
  }
}
