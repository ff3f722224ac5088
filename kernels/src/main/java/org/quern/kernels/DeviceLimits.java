package org.quern.kernels;

/// What a device can take, as its driver says.
///
/// @param kind what kind of machine it is
/// @param units compute units: multiprocessors or cores
/// @param groupSize the most items in a group
/// @param localBytes local (CUDA: shared) memory of a group
/// @param bufferBytes the largest single buffer
/// @param memoryBytes all memory
/// @param vectorWidth floats in a vector that it computes on natively: 1 for a GPU
public record DeviceLimits(
    Kind kind,
    int units,
    int groupSize,
    long localBytes,
    long bufferBytes,
    long memoryBytes,
    int vectorWidth) {
  /// What kind of machine a device is. It decides the shape of the work: many items with narrow
  /// vectors, or few with wide ones.
  public enum Kind {
    /// Many items run in lockstep; local memory is fast.
    GPU,
    /// An item is a loop on a core with vectors; local memory is a cache.
    CPU
  }
}
