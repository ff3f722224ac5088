package org.quern.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/// Runs the attention benchmark and tells the result as a table.
///
/// @param contexts the context lengths; empty for the benchmark's own
/// @param backends where to compute; empty for the CPU
/// @param quick shorter iterations: a look, not a measurement
/// @param out takes `attention.json` (JMH's) and `attention.md`; null for nowhere
public record AttentionRun(
    List<Integer> contexts, List<String> backends, boolean quick, @Nullable Path out) {
  /// Copies the lists.
  public AttentionRun {
    contexts = List.copyOf(contexts);
    backends = List.copyOf(backends);
  }

  /// {@return the table, in Markdown}
  ///
  /// @throws IOException if the results cannot be written
  /// @throws IllegalStateException if a benchmark failed
  public String run() throws IOException {
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include(AttentionBenchmark.class.getName())
            .shouldFailOnError(true)
            .jvmArgsAppend("--add-modules=jdk.incubator.vector");
    if (!contexts.isEmpty()) {
      options.param("context", contexts.stream().map(Object::toString).toArray(String[]::new));
    }
    if (!backends.isEmpty()) {
      options.param("backend", backends.toArray(String[]::new));
    }
    if (quick) {
      TimeValue time = TimeValue.milliseconds(300);
      options.warmupIterations(2).warmupTime(time).measurementIterations(2).measurementTime(time);
    }
    if (out != null) {
      Files.createDirectories(out);
      options.result(out.resolve("attention.json").toString()).resultFormat(ResultFormatType.JSON);
    }
    Collection<RunResult> results;
    try {
      results = new Runner(options.build()).run();
    } catch (RunnerException e) {
      throw new IllegalStateException("the benchmark failed: " + e.getMessage(), e);
    }
    String table = table(results);
    if (out != null) {
      Files.writeString(out.resolve("attention.md"), table);
    }
    return table;
  }

  private static String table(Collection<RunResult> results) {
    StringBuilder text =
        new StringBuilder(
            """
            Causal attention forward, 12 heads of 64, batch 1, f32

            | backend | implementation | T | microseconds | +- | GFLOP/s |
            |---|---|---:|---:|---:|---:|
            """);
    for (RunResult r : results) {
      BenchmarkParams p = r.getParams();
      Result<?> time = r.getPrimaryResult();
      int t = Integer.parseInt(p.getParam("context"));
      text.append(
          String.format(
              Locale.ROOT,
              "| %s | %s | %d | %.1f | %.1f | %.1f |%n",
              p.getParam("backend"),
              p.getParam("implementation"),
              t,
              time.getScore(),
              time.getScoreError(),
              flops(t) / time.getScore() * 1e-3));
    }
    return text.toString();
  }

  /// Two products of T x T x D, the causal half of each.
  private static double flops(double t) {
    return 4 * t * t * AttentionBenchmark.HEAD_SIZE * AttentionBenchmark.HEADS / 2;
  }
}
