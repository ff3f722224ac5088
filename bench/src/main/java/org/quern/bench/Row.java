package org.quern.bench;

import java.util.LinkedHashMap;
import java.util.Map;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.util.Statistics;

/// One measured point.
///
/// @param params values by parameter, the backend first
/// @param median of the iterations, seconds a call
/// @param min the fastest iteration, seconds a call
/// @param max the slowest iteration, seconds a call
/// @param work of a call
public record Row(Map<String, String> params, double median, double min, double max, Work work) {
  private static final double MEDIAN = 50;

  /// {@return what JMH found}
  static Row of(Study.Point point, RunResult run) {
    BenchmarkParams p = run.getParams();
    Statistics s = run.getPrimaryResult().getStatistics();
    double unit = p.getTimeUnit().toNanos(1) * 1e-9;
    return new Row(
        new LinkedHashMap<>(point.values()),
        s.getPercentile(MEDIAN) * unit,
        s.getMin() * unit,
        s.getMax() * unit,
        WorkProfiler.of(run));
  }

  /// {@return the value of a parameter}
  ///
  /// @param name of it
  public String get(String name) {
    return params.getOrDefault(name, "");
  }

  /// {@return GFLOP/s by the median; NaN where they say nothing}
  public double gigaflops() {
    return work.flops() / median * 1e-9;
  }

  /// {@return GB/s by the median; NaN where they say nothing}
  public double gigabytes() {
    return work.bytes() / median * 1e-9;
  }

  /// {@return operations a second of the fastest iteration; bytes where it has no operations}
  double best() {
    return (Double.isNaN(work.flops()) ? work.bytes() : work.flops()) / min;
  }

  /// {@return tokens a second by the median; NaN where there are none}
  public double tokens() {
    return work.tokens() / median;
  }
}
