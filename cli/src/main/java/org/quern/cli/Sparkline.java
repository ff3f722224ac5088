package org.quern.cli;

import java.util.List;

/// A curve in one line of text.
final class Sparkline {
  private static final String LEVELS = "▁▂▃▄▅▆▇█";
  private static final int WIDTH = 60;

  private Sparkline() {}

  /// {@return the numbers as bars between their least and their most, at most 60; those that are
  /// not finite are spaces}
  static String of(List<Double> numbers) {
    int bars = Math.min(WIDTH, numbers.size());
    double least = Double.POSITIVE_INFINITY;
    double most = Double.NEGATIVE_INFINITY;
    for (double x : numbers) {
      if (Double.isFinite(x)) {
        least = Math.min(least, x);
        most = Math.max(most, x);
      }
    }
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < bars; i++) {
      double x = numbers.get((int) ((long) i * numbers.size() / bars));
      int level =
          most > least ? (int) Math.round((x - least) / (most - least) * (LEVELS.length() - 1)) : 0;
      out.append(Double.isFinite(x) ? LEVELS.charAt(level) : ' ');
    }
    return out.toString();
  }
}
