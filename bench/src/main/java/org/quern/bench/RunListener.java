package org.quern.bench;

/// Hears how far a run is.
@FunctionalInterface
public interface RunListener {
  /// Hears of a measurement that is about to start.
  ///
  /// @param done how many are behind it
  /// @param total how many there are
  /// @param what is measured
  void next(int done, int total, String what);
}
