package org.quern.tck;

import org.quern.core.DType;

/// How far an output is from the float64 reference.
///
/// @param output its name; empty where nothing was compared
/// @param dtype its storage
/// @param error the largest absolute error of an element; infinite where a number is missing, NaN
///   or infinite and should not be
/// @param allowed the largest error that the tolerance rule allows; 0 where the bits must be equal
public record Comparison(String output, DType dtype, double error, double allowed) {
  /// Nothing was compared.
  public static final Comparison NONE = new Comparison("", DType.F32, 0, 0);

  /// {@return the error as a share of what is allowed; above 1 it is too large}
  public double ratio() {
    return error == 0 ? 0 : error / allowed;
  }

  /// {@return the one of two that is nearer to what is allowed, or farther beyond it}
  ///
  /// @param other may be [#NONE]
  Comparison worse(Comparison other) {
    if (output.isEmpty()) {
      return other;
    }
    return other.ratio() > ratio() ? other : this;
  }
}
