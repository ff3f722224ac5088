package org.quern.core;

/// How long one kernel of a device took, over all its launches.
///
/// @param kernel its name
/// @param calls how many launches
/// @param seconds on the device, all launches together
/// @param bytes read and written, by the kernel's own count
/// @param flops floating-point operations, by the kernel's own count
public record KernelTime(String kernel, long calls, double seconds, double bytes, double flops) {
  /// {@return GB/s}
  public double gigabytesPerSecond() {
    return bytes / seconds * 1e-9;
  }

  /// {@return GFLOP/s}
  public double gigaflopsPerSecond() {
    return flops / seconds * 1e-9;
  }
}
