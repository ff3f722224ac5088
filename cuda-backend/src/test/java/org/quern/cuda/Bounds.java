package org.quern.cuda;

/// Holds results to their bounds.
final class Bounds {
  private Bounds() {}

  /// Fails at the number that is furthest beyond its bound.
  ///
  /// @return the largest error in units of its bound
  static double check(String name, AttentionReference.Tensor expected, double[] found) {
    double worst = 0;
    int at = 0;
    for (int i = 0; i < found.length; i++) {
      double want = expected.value()[i];
      double error = want == found[i] ? 0 : Math.abs(found[i] - want);
      double ratio = error == 0 ? 0 : error / expected.bound()[i];
      if (!(ratio <= worst)) {
        worst = Double.isNaN(ratio) ? Double.POSITIVE_INFINITY : ratio;
        at = i;
      }
    }
    if (worst > 1) {
      throw new AssertionError(
          "%s[%d]: found %s, expected %s, bound %s (%.3g times)"
              .formatted(name, at, found[at], expected.value()[at], expected.bound()[at], worst));
    }
    return worst;
  }
}
