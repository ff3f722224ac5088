package org.quern.bench;

import java.util.Collection;
import java.util.List;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.infra.IterationParams;
import org.openjdk.jmh.profile.InternalProfiler;
import org.openjdk.jmh.results.AggregationPolicy;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.ScalarResult;
import org.quern.core.Backend;

/// Carries what a benchmark found out about device memory from its process to the results: the
/// secondary metric `memory`, in bytes.
///
/// It is a profiler since that is where JMH takes numbers that are no times.
@SuppressWarnings("exports") // public for JMH alone, which makes it by its name
public final class PeakMemory implements InternalProfiler {
  private static final String METRIC = "memory";

  private static volatile long bytes;

  /// For JMH.
  public PeakMemory() {}

  /// Runs something that reaches its peak here, and remembers the peak beyond what is in use now.
  static void measure(Backend device, Runnable work) {
    long before = device.pool().stats().inUse();
    work.run();
    bytes = Math.max(0, device.pool().stats().peak() - before);
  }

  /// {@return what [#measure] found in the run's process, in bytes}
  static double of(RunResult run) {
    Result<?> found = run.getSecondaryResults().get(METRIC);
    return found == null ? Double.NaN : found.getScore();
  }

  @Override
  public String getDescription() {
    return "peak device memory beyond inputs and outputs";
  }

  @Override
  public void beforeIteration(BenchmarkParams benchmark, IterationParams iteration) {}

  @Override
  public Collection<? extends Result<?>> afterIteration(
      BenchmarkParams benchmark, IterationParams iteration, IterationResult result) {
    return List.of(new ScalarResult(METRIC, bytes, "B", AggregationPolicy.MAX));
  }
}
