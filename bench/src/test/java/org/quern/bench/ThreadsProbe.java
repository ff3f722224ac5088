package org.quern.bench;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.quern.core.Settings;

/// Tells, as its tokens, what `quern.threads` is where it runs.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class ThreadsProbe extends DeviceBenchmark {
  /// For JMH.
  public ThreadsProbe() {}

  /// Tells it.
  @Setup(Level.Trial)
  public void tell() {
    WorkProfiler.tell(new Work(Double.NaN, Double.NaN, Settings.load().threads(), Double.NaN));
  }

  /// Does nothing.
  @Benchmark
  public void nothing() {}
}
