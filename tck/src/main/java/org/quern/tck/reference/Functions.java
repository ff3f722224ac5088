package org.quern.tck.reference;

import org.quern.core.Activation;

/// Functions of one number, and of one row.
final class Functions {
  private static final double SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
  private static final double SQRT_HALF = Math.sqrt(0.5);
  private static final double CUBIC = 0.044715;

  private Functions() {}

  /// {@return the activation of a number, as [Activation] defines it}
  static double apply(Activation f, double x, Rounding r) {
    return switch (f) {
      case NONE -> x;
      case RELU -> Math.max(x, 0);
      case GELU_TANH -> r.of(r.of(0.5 * x) * r.of(1 + tanhOfCubic(x, r)));
      case GELU_ERF -> r.of(r.of(0.5 * x) * r.of(1 + r.of(erf(r.of(x * SQRT_HALF)))));
    };
  }

  /// {@return the derivative of the activation}
  static double derivative(Activation f, double x, Rounding r) {
    return switch (f) {
      case NONE -> 1;
      case RELU -> x > 0 ? 1 : 0;
      case GELU_TANH -> {
        double t = tanhOfCubic(x, r);
        double inner = r.of(SQRT_2_OVER_PI * r.of(1 + r.of(3 * CUBIC * r.of(x * x))));
        double slope = r.of(r.of(r.of(0.5 * x) * r.of(1 - r.of(t * t))) * inner);
        yield r.of(r.of(0.5 * r.of(1 + t)) + slope);
      }
      case GELU_ERF -> {
        double share = r.of(0.5 * r.of(1 + r.of(erf(r.of(x * SQRT_HALF)))));
        double density = r.of(Math.exp(r.of(-0.5 * r.of(x * x))) / Math.sqrt(2 * Math.PI));
        yield r.of(share + r.of(x * density));
      }
    };
  }

  private static double tanhOfCubic(double x, Rounding r) {
    double cube = r.of(r.of(x * x) * x);
    return r.of(Math.tanh(r.of(SQRT_2_OVER_PI * r.of(x + r.of(CUBIC * cube)))));
  }

  /// {@return the error function, by the series `2/sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) /
  /// (2n+1)!!` (Abramowitz and Stegun, 7.1.6), all of whose terms have one sign}
  static double erf(double x) {
    if (Math.abs(x) > 6 || Double.isNaN(x)) {
      return Double.isNaN(x) ? x : Math.signum(x); // 1 - erf(6) < 2^-53
    }
    double term = x;
    double sum = x;
    for (int n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }

  /// {@return `log sum_i exp(scale x[i])` over a range, without overflow: the largest is taken out;
  /// positive infinity for the empty range}
  static double logSumExp(double[] x, int from, int to, double scale, Rounding r) {
    if (from >= to) {
      return Double.POSITIVE_INFINITY;
    }
    double max = Double.NEGATIVE_INFINITY;
    for (int i = from; i < to; i++) {
      max = Math.max(max, r.of(scale * x[i]));
    }
    double sum = 0;
    for (int i = from; i < to; i++) {
      sum = r.of(sum + r.of(Math.exp(r.of(r.of(scale * x[i]) - max))));
    }
    return r.of(max + r.of(Math.log(sum)));
  }
}
