package org.quern.bench;

import org.quern.core.Backend;

/// What one call of a benchmark does. NaN where it says nothing.
///
/// @param flops floating-point operations, two a multiply-add
/// @param bytes that have to be moved at least: inputs read once, outputs written once
/// @param tokens that the call computes
/// @param memory peak bytes of device memory: beyond inputs and outputs for an operation, all of it
///   for a model
public record Work(double flops, double bytes, double tokens, double memory) {
  /// Nothing is known.
  public static final Work UNKNOWN = new Work(Double.NaN, Double.NaN, Double.NaN, Double.NaN);

  /// {@return an operation's work}
  static Work of(double flops, double bytes) {
    return new Work(flops, bytes, Double.NaN, Double.NaN);
  }

  /// {@return this work with the most memory that it held}
  Work withMemory(double value) {
    return new Work(flops, bytes, tokens, value);
  }

  /// Makes the call that reaches its peak of memory.
  ///
  /// @return the peak beyond what was in use before, in bytes
  static double peak(Backend device, Runnable call) {
    long before = device.pool().stats().inUse();
    call.run();
    device.sync();
    return Math.max(0, device.pool().stats().peak() - before);
  }
}
