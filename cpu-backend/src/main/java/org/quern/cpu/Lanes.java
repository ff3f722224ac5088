package org.quern.cpu;

import jdk.incubator.vector.FloatVector;

/// Sums over the lanes of a vector, in one fixed order: `reduceLanes` leaves it open, and indeed
/// interpreted and compiled code differ.
final class Lanes {
  /// How many there are.
  static final int COUNT = FloatVector.SPECIES_PREFERRED.length();

  private Lanes() {}

  /// {@return the sum of [#COUNT] elements of an array, by halves; the array is changed}
  static float sum(float[] lanes, int at) {
    for (int half = COUNT / 2; half > 0; half /= 2) {
      for (int i = at; i < at + half; i++) {
        lanes[i] += lanes[i + half];
      }
    }
    return lanes[at];
  }

  /// {@return the same in f64; the array is left alone}
  static double sumWide(float[] lanes, int at) {
    double sum = 0;
    for (int i = at; i < at + COUNT; i++) {
      sum += lanes[i];
    }
    return sum;
  }
}
