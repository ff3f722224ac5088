package org.quern.tck;

import java.util.Arrays;
import java.util.Locale;
import org.quern.core.Backend;

/// How fast a case runs: the median of several calls, each waited for. For orientation; JMH in
/// `bench` measures with care.
///
/// @param check the case's name
/// @param seconds of the median call
/// @param gigaflops per second, by [OpCase#flops]
/// @param gigabytes per second, by the bytes of all inputs and outputs
public record Speed(String check, double seconds, double gigaflops, double gigabytes) {
  private static final int WARM_UP = 3;
  private static final int CALLS = 7;

  /// {@return how fast a case runs}
  ///
  /// @param backend where
  /// @param c what
  public static Speed measure(Backend backend, OpCase c) {
    try (Trial trial = new Trial(backend, c.name())) {
      Runnable call = c.body().prepare(trial);
      double[] seconds = new double[CALLS];
      for (int i = -WARM_UP; i < CALLS; i++) {
        backend.sync();
        long start = System.nanoTime();
        call.run();
        backend.sync();
        seconds[Math.max(0, i)] = (System.nanoTime() - start) * 1e-9;
      }
      Arrays.sort(seconds);
      double median = seconds[CALLS / 2];
      double bytes = trial.bytes();
      return new Speed(c.name(), median, c.flops() / median * 1e-9, bytes / median * 1e-9);
    }
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%-60s %10.1f us %8.2f GFLOP/s %8.2f GB/s",
        check,
        seconds * 1e6,
        gigaflops,
        gigabytes);
  }
}
