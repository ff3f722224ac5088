package org.quern.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.quern.core.Backend;
import org.quern.kernels.DeviceBackend;

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

  private static final List<Integer> CONTEXTS = List.of(128, 256, 512, 1024, 2048, 4096);
  private static final List<String> EVERYWHERE = List.of("unfused", "flash");
  private static final List<String> ON_DEVICES =
      List.of("loops", "triangular", "unfused", "tiled-flash", "flash");

  /// {@return the table, in Markdown}
  ///
  /// @param listener hears of each measurement
  /// @throws IOException if the results cannot be written
  /// @throws IllegalArgumentException if a backend cannot run, or gives wrong results
  public String run(RunListener listener) throws IOException {
    return new Sweep(
            "attention",
            AttentionBenchmark.class,
            backends,
            contexts.isEmpty() ? CONTEXTS : contexts,
            AttentionRun::implementations,
            quick,
            out)
        .run(listener, AttentionRun::table);
  }

  /// {@return what can be measured there, the simplest first}
  private static List<String> implementations(Backend backend) {
    return backend instanceof DeviceBackend ? ON_DEVICES : EVERYWHERE;
  }

  private static String table(Collection<RunResult> results) {
    StringBuilder text =
        new StringBuilder(
            """
            Causal attention forward, 12 heads of 64, batch 1, f32; memory beyond inputs and outputs

            | backend | implementation | T | microseconds | +- | GFLOP/s | memory, MiB |
            |---|---|---:|---:|---:|---:|---:|
            """);
    for (RunResult r : results) {
      BenchmarkParams p = r.getParams();
      Result<?> time = r.getPrimaryResult();
      int t = Integer.parseInt(p.getParam("context"));
      text.append(
          String.format(
              Locale.ROOT,
              "| %s | %s | %d | %.1f | %.1f | %.1f | %.1f |%n",
              p.getParam("backend"),
              p.getParam("implementation"),
              t,
              time.getScore(),
              time.getScoreError(),
              flops(t) / time.getScore() * 1e-3,
              PeakMemory.of(r) / (1 << 20)));
    }
    return text.toString();
  }

  /// Two products of T x T x D, the causal half of each.
  private static double flops(double t) {
    return 4 * t * t * AttentionBenchmark.HEAD_SIZE * AttentionBenchmark.HEADS / 2;
  }
}
