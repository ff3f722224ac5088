package org.quern.bench;

/// Whole powers of ten around numbers.
final class LogRange {
  private double least = Double.POSITIVE_INFINITY;
  private double most;

  /// Takes numbers into the range; those that are not positive are left out.
  void add(double... values) {
    for (double v : values) {
      if (v > 0 && v < Double.POSITIVE_INFINITY) {
        least = Math.min(least, v);
        most = Math.max(most, v);
      }
    }
  }

  /// {@return the power of ten at or below all; 1 where there are none}
  double low() {
    return most == 0 ? 1 : Math.pow(10, Math.floor(Math.log10(least)));
  }

  /// {@return the power of ten above [#low] and at or above all}
  double high() {
    return most == 0 ? 10 : Math.max(10 * low(), Math.pow(10, Math.ceil(Math.log10(most))));
  }
}
