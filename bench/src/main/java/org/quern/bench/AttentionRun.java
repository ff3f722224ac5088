package org.quern.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.infra.BenchmarkParams;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatFactory;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import org.quern.core.Backends;
import org.quern.core.Settings;

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
  private static final List<String> IMPLEMENTATIONS = List.of("unfused", "flash");

  /// Hears how far the run is.
  @FunctionalInterface
  public interface Listener {
    /// Hears of a measurement that is about to start.
    ///
    /// @param done how many are behind it
    /// @param total how many there are
    /// @param what is measured
    void next(int done, int total, String what);
  }

  /// {@return the table, in Markdown}
  ///
  /// @param listener hears of each measurement
  /// @throws IOException if the results cannot be written
  /// @throws IllegalArgumentException if a backend cannot run, or gives wrong results
  public String run(Listener listener) throws IOException {
    if (out != null) {
      Files.createDirectories(out);
    }
    List<String> places = backends.isEmpty() ? List.of("cpu") : backends;
    List<Integer> lengths = contexts.isEmpty() ? CONTEXTS : contexts;
    int total = places.size() * lengths.size() * IMPLEMENTATIONS.size();
    List<RunResult> results = new ArrayList<>();
    for (String place : places) {
      // An absent device is told here, by its own message, and not by a failed benchmark.
      Backends.open(Settings.load().withBackend(place)).close();
      for (int length : lengths) {
        for (String implementation : IMPLEMENTATIONS) {
          listener.next(results.size(), total, "%s T=%d".formatted(implementation, length));
          results.add(measure(place, length, implementation));
        }
      }
    }
    String table = table(results);
    if (out != null) {
      Files.writeString(out.resolve("attention.md"), table);
      String json = out.resolve("attention.json").toString();
      ResultFormatFactory.getInstance(ResultFormatType.JSON, json).writeOut(results);
    }
    return table;
  }

  private RunResult measure(String place, int length, String implementation) throws IOException {
    // What the measured process prints goes to a file, not between the lines of the caller.
    Path log =
        out == null
            ? Files.createTempFile("quern-bench", ".log")
            : out.resolve("attention-%s-%s-%d.log".formatted(place, implementation, length));
    try {
      return measure(place, length, implementation, log);
    } finally {
      if (out == null) {
        Files.deleteIfExists(log);
      }
    }
  }

  private RunResult measure(String place, int length, String implementation, Path log) {
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include(AttentionBenchmark.class.getName())
            .shouldFailOnError(true)
            .verbosity(VerboseMode.NORMAL)
            .output(log.toString())
            .param("backend", place)
            .param("context", Integer.toString(length))
            .param("implementation", implementation);
    if (quick) {
      TimeValue time = TimeValue.milliseconds(300);
      options.warmupIterations(2).warmupTime(time).measurementIterations(2).measurementTime(time);
    }
    try {
      return new Runner(options.build()).runSingle();
    } catch (RunnerException e) {
      Throwable root = e;
      while (root.getCause() != null) {
        root = root.getCause();
      }
      throw new IllegalArgumentException(
          "the benchmark %s T=%d on %s failed: %s"
              .formatted(implementation, length, place, root.getMessage()),
          e);
    }
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
