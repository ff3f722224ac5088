package org.quern.peers;

import java.util.Arrays;

/// A measured number: the middle of several, and how far they were apart.
///
/// @param median of the measurements
/// @param min the smallest
/// @param max the largest
record Figure(double median, double min, double max) {
  /// {@return what the measurements amount to}
  ///
  /// @param values at least one
  static Figure of(double... values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    int n = sorted.length;
    double median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    return new Figure(median, sorted[0], sorted[n - 1]);
  }
}
