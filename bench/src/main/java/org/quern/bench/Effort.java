package org.quern.bench;

import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/// How much time to take for a point.
public enum Effort {
  /// Calls a few times in this process: only to see that it runs.
  TOY(1, 2, 10, 1 << 20),
  /// A look, not a measurement.
  QUICK(4, 3, 500, 1 << 26), // vector kernels need two seconds until C2 has them
  /// As each benchmark says.
  WHOLE(3, 5, 1000, 1 << 28);

  private final int warmups;
  private final int iterations;
  private final int milliseconds;
  private final long ceilingBytes;

  Effort(int warmups, int iterations, int milliseconds, long ceilingBytes) {
    this.warmups = warmups;
    this.iterations = iterations;
    this.milliseconds = milliseconds;
    this.ceilingBytes = ceilingBytes;
  }

  /// Sets numbers and times of iterations.
  void apply(ChainedOptionsBuilder options) {
    if (this == WHOLE) {
      return;
    }
    TimeValue time = TimeValue.milliseconds(milliseconds);
    options
        .warmupIterations(warmups)
        .warmupTime(time)
        .measurementIterations(iterations)
        .measurementTime(time);
    if (this == TOY) {
      options.forks(0);
    }
  }

  /// {@return the bytes of large copies}
  long ceilingBytes() {
    return ceilingBytes;
  }
}
