package org.quern.tck;

import java.util.List;
import org.quern.core.DType;

/// How far a result may be from the float64 reference: twice the error of the naive implementation
/// at that storage, plus a floor (the rule of arXiv:2205.14135's tests).
///
/// The error of a tensor is the largest absolute error of an element. The rule is
///
/// ```
/// error(backend) <= 2 max(error(naive), max_k error(random_k)) + 8 u max_i |exact_i|
/// ```
///
/// `random_k` is the naive implementation with every inexact result rounded up or down by chance
/// ([org.quern.tck.reference.Rounding#random]), of inputs moved by one unit in the last place: it
/// covers sums taken in another order, fused multiply-adds, and algorithms that are backward
/// stable, where the naive result is good by luck. The last term is the floor. `u = 2^-p`, with p
/// the digits of the storage, is its unit roundoff; `8 u` is four units in the last place, what a
/// function from a device's library (OpenCL 1.2, section 7.4) may add. There are no numbers for an
/// operation, a backend or a vendor.
///
/// @param bound the largest error allowed
record Tolerance(double bound) {
  private static final double LIBRARY = 8;

  /// {@return what the rule gives}
  ///
  /// @param exact the float64 result
  /// @param naive the naive result
  /// @param random the randomly rounded ones
  /// @param dtype the storage of the result
  static Tolerance of(double[] exact, double[] naive, List<double[]> random, DType dtype) {
    double worst = error(naive, exact);
    for (double[] r : random) {
      worst = Math.max(worst, error(r, exact));
    }
    double largest = 0;
    for (double x : exact) {
      largest = Double.isFinite(x) ? Math.max(largest, Math.abs(x)) : largest;
    }
    return new Tolerance(2 * worst + LIBRARY * roundoff(dtype) * largest);
  }

  /// {@return u, half the distance from 1 to the next number}
  static double roundoff(DType dtype) {
    return switch (dtype) {
      case F32 -> 0x1p-24;
      case BF16 -> 0x1p-8;
      case F16 -> 0x1p-11;
      case I32 -> 0;
    };
  }

  /// {@return the largest absolute error; infinite where one is NaN or infinite and the other is
  /// something else}
  static double error(double[] actual, double[] exact) {
    double worst = 0;
    for (int i = 0; i < exact.length; i++) {
      worst = Math.max(worst, error(actual[i], exact[i]));
    }
    return worst;
  }

  /// {@return the absolute error of one element}
  static double error(double actual, double exact) {
    if (Double.compare(actual, exact) == 0) {
      return 0; // also NaN and infinities
    }
    double e = Math.abs(actual - exact);
    return Double.isNaN(e) ? Double.POSITIVE_INFINITY : e;
  }

  /// {@return the element with the largest error}
  static int worst(double[] actual, double[] exact) {
    int at = 0;
    for (int i = 0; i < exact.length; i++) {
      if (error(actual[i], exact[i]) > error(actual[at], exact[at])) {
        at = i;
      }
    }
    return at;
  }
}
