package org.quern.tck;

import java.util.Locale;
import org.quern.core.Backend;

/// How fast a case runs: the median of several batches of calls, each waited for. For orientation;
/// JMH in `bench` measures with care.
///
/// @param check the case's name
/// @param seconds of one call
/// @param flops of one call, [OpCase#flops]
/// @param bytes of one call, [OpCase#bytes]
public record Speed(String check, double seconds, double flops, double bytes) {
  /// {@return how fast a case runs}
  ///
  /// @param backend where
  /// @param c what; one of [OpCases#forSpeed] for numbers that say something
  /// @throws org.quern.core.OutOfDeviceMemoryException if the device has no room for it
  public static Speed measure(Backend backend, OpCase c) {
    try (Trial trial = new Trial(backend, c.name(), Trial.Purpose.SPEED)) {
      double seconds = Timing.seconds(backend, c.body().prepare(trial));
      return new Speed(c.name(), seconds, c.flops(), trial.bytes());
    } finally {
      backend.pool().trim(); // the next case has other sizes
    }
  }

  /// {@return GFLOP/s}
  public double gigaflops() {
    return flops / seconds * 1e-9;
  }

  /// {@return GB/s}
  public double gigabytes() {
    return bytes / seconds * 1e-9;
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%-60s %10.1f us %8.2f GFLOP/s %8.2f GB/s",
        check,
        seconds * 1e6,
        gigaflops(),
        gigabytes());
  }
}
