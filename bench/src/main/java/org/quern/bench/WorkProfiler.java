package org.quern.bench;

import java.util.ArrayList;
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

/// Carries a benchmark's [Work] from its process to the results, as secondary metrics: the work of
/// a call, and its rates.
///
/// It is a profiler since that is where JMH takes numbers that are no times.
@SuppressWarnings("exports") // public for JMH alone, which makes it by its name
public final class WorkProfiler implements InternalProfiler {
  private static final String FLOPS = "flops";
  private static final String BYTES = "bytes";
  private static final String TOKENS = "tokens";
  private static final String MEMORY = "memory";

  private static volatile Work work = Work.UNKNOWN;

  /// For JMH.
  public WorkProfiler() {}

  /// Tells what a call of the benchmark in this process does.
  static void tell(Work value) {
    work = value;
  }

  /// {@return what the run's process told}
  static Work of(RunResult run) {
    return new Work(
        metric(run, FLOPS), metric(run, BYTES), metric(run, TOKENS), metric(run, MEMORY));
  }

  private static double metric(RunResult run, String name) {
    Result<?> found = run.getSecondaryResults().get(name);
    return found == null ? Double.NaN : found.getScore();
  }

  @Override
  public String getDescription() {
    return "work of a call, and its rates";
  }

  @Override
  public void beforeIteration(BenchmarkParams benchmark, IterationParams iteration) {}

  @Override
  public Collection<? extends Result<?>> afterIteration(
      BenchmarkParams benchmark, IterationParams iteration, IterationResult result) {
    Work w = work;
    List<ScalarResult> out = new ArrayList<>();
    add(out, FLOPS, w.flops(), "flop/op", AggregationPolicy.MAX);
    add(out, BYTES, w.bytes(), "B/op", AggregationPolicy.MAX);
    add(out, TOKENS, w.tokens(), "tokens/op", AggregationPolicy.MAX);
    add(out, MEMORY, w.memory(), "B", AggregationPolicy.MAX);
    if (!result.getRawPrimaryResults().isEmpty()) { // it is where the benchmark failed
      // The score is a thread's time of a call; all threads call at once.
      double seconds =
          result.getPrimaryResult().getScore() * benchmark.getTimeUnit().toNanos(1) * 1e-9;
      double calls = benchmark.getThreads() / seconds;
      add(out, "GFLOP/s", w.flops() * calls * 1e-9, "GFLOP/s", AggregationPolicy.AVG);
      add(out, "GB/s", w.bytes() * calls * 1e-9, "GB/s", AggregationPolicy.AVG);
      add(out, "tokens/s", w.tokens() * calls, "tokens/s", AggregationPolicy.AVG);
    }
    return out;
  }

  private static void add(
      List<ScalarResult> out, String name, double value, String unit, AggregationPolicy policy) {
    if (Double.isFinite(value)) {
      out.add(new ScalarResult(name, value, unit, policy));
    }
  }
}
