package org.quern.cpu;

import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/// The lanes of all vectors: how many there are, decided here once for the whole process, and sums
/// over them.
///
/// Sums are in one fixed order: `reduceLanes` leaves it open, and indeed interpreted and compiled
/// code differ.
final class Lanes {
  private static final VectorShape SHAPE = shape();

  /// Vectors of floats.
  static final VectorSpecies<Float> FLOATS = VectorSpecies.of(float.class, SHAPE);

  /// Vectors of integers, as many as floats.
  static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, SHAPE);

  /// Vectors of longs, half as many as floats.
  static final VectorSpecies<Long> LONGS = VectorSpecies.of(long.class, SHAPE);

  /// How many floats there are in a vector.
  static final int COUNT = FLOATS.length();

  /// The bits of a vector.
  static final int BITS = SHAPE.vectorBitSize();

  private Lanes() {}

  /// What [CpuProvider.Choice] says, which has been checked; else what is best on this processor.
  private static VectorShape shape() {
    int bits = CpuProvider.choice().bits();
    return bits == 0 ? VectorShape.preferredShape() : VectorShape.forBitSize(bits);
  }

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
