package org.quern.kernels;

import org.quern.core.Tensor;

/// What a launch moves and computes, for the profile.
///
/// @param bytes read and written
/// @param flops floating-point operations
public record Cost(double bytes, double flops) {
  /// {@return the cost of work that moves whole tensors}
  ///
  /// @param flops floating-point operations
  /// @param moved each tensor once for every time that it is read or written
  public static Cost of(double flops, Tensor... moved) {
    double bytes = 0;
    for (Tensor t : moved) {
      bytes += t.bytes();
    }
    return new Cost(bytes, flops);
  }
}
