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

/// Runs the softmax benchmark and tells the result as a table.
///
/// @param contexts the context lengths; empty for the benchmark's own
/// @param backends where to compute; empty for the CPU
/// @param quick shorter iterations: a look, not a measurement
/// @param out takes `softmax.json` (JMH's) and `softmax.md`; null for nowhere
public record SoftmaxRun(
    List<Integer> contexts, List<String> backends, boolean quick, @Nullable Path out) {
  /// Copies the lists.
  public SoftmaxRun {
    contexts = List.copyOf(contexts);
    backends = List.copyOf(backends);
  }

  private static final List<Integer> CONTEXTS = List.of(128, 256, 512, 1024, 2048);

  /// {@return the table, in Markdown}
  ///
  /// @param listener hears of each measurement
  /// @throws IOException if the results cannot be written
  /// @throws IllegalArgumentException if a backend cannot run, or gives wrong results
  public String run(RunListener listener) throws IOException {
    return new Sweep(
            "softmax",
            SoftmaxBenchmark.class,
            backends,
            contexts.isEmpty() ? CONTEXTS : contexts,
            SoftmaxRun::implementations,
            quick,
            out)
        .run(listener, SoftmaxRun::table);
  }

  private static List<String> implementations(Backend backend) {
    return backend instanceof DeviceBackend ? List.of("three-kernels", "fused") : List.of("fused");
  }

  private static String table(Collection<RunResult> results) {
    StringBuilder text =
        new StringBuilder(
            """
            Scale, causal mask and softmax of 12 x T x T scores, f32; GB/s as if read and written once

            | backend | implementation | T | microseconds | +- | GB/s |
            |---|---|---:|---:|---:|---:|
            """);
    for (RunResult r : results) {
      BenchmarkParams p = r.getParams();
      Result<?> time = r.getPrimaryResult();
      double t = Integer.parseInt(p.getParam("context"));
      double bytes = 2 * Float.BYTES * SoftmaxBenchmark.HEADS * t * t;
      text.append(
          String.format(
              Locale.ROOT,
              "| %s | %s | %.0f | %.1f | %.1f | %.1f |%n",
              p.getParam("backend"),
              p.getParam("implementation"),
              t,
              time.getScore(),
              time.getScoreError(),
              bytes / time.getScore() * 1e-3));
    }
    return text.toString();
  }
}
