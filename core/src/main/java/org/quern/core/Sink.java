package org.quern.core;

/// Where a result lands, and whether it replaces what is there (BLAS: beta 0) or is added to it
/// (beta 1).
///
/// With [Mode#SET] the old contents are never read: they may be NaN.
///
/// @param tensor the destination
/// @param mode replace or add
public record Sink(Tensor tensor, Mode mode) {
  /// What happens to the old contents.
  public enum Mode {
    /// They are replaced, and never read.
    SET,
    /// The result is added to them.
    ADD
  }

  /// {@return a sink that replaces}
  ///
  /// @param tensor the destination
  public static Sink set(Tensor tensor) {
    return new Sink(tensor, Mode.SET);
  }

  /// {@return a sink that adds}
  ///
  /// @param tensor the destination
  public static Sink add(Tensor tensor) {
    return new Sink(tensor, Mode.ADD);
  }

  /// {@return whether the result is added}
  public boolean adds() {
    return mode == Mode.ADD;
  }
}
