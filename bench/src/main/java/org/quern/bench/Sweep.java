package org.quern.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatFactory;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Settings;

/// Runs a benchmark for every backend, context length and implementation, each in a process of its
/// own.
///
/// @param name of the files that keep the results
/// @param benchmark has the parameters `backend`, `context` and `implementation`
/// @param backends where to compute; empty for the CPU
/// @param contexts the context lengths
/// @param implementations those that a backend has
/// @param quick shorter iterations: a look, not a measurement
/// @param out takes the logs, JMH's JSON and the table; null for nowhere
record Sweep(
    String name,
    Class<?> benchmark,
    List<String> backends,
    List<Integer> contexts,
    Function<Backend, List<String>> implementations,
    boolean quick,
    @Nullable Path out) {

  /// {@return the table of the results, in Markdown}
  ///
  /// @param listener hears of each measurement
  /// @param table makes it
  /// @throws IOException if the results cannot be written
  /// @throws IllegalArgumentException if a backend cannot run, or gives wrong results
  String run(RunListener listener, Function<List<RunResult>, String> table) throws IOException {
    if (out != null) {
      Files.createDirectories(out);
    }
    List<Point> points = points();
    List<RunResult> results = new ArrayList<>();
    for (Point p : points) {
      listener.next(results.size(), points.size(), p.toString());
      results.add(measure(p));
    }
    String text = table.apply(results);
    if (out != null) {
      Files.writeString(out.resolve(name + ".md"), text);
      String json = out.resolve(name + ".json").toString();
      ResultFormatFactory.getInstance(ResultFormatType.JSON, json).writeOut(results);
    }
    return text;
  }

  private record Point(String backend, String implementation, int context) {
    @Override
    public String toString() {
      return "%s T=%d on %s".formatted(implementation, context, backend);
    }
  }

  private List<Point> points() {
    List<Point> out = new ArrayList<>();
    for (String backend : backends.isEmpty() ? List.of("cpu") : backends) {
      List<String> all;
      // An absent device is told here, by its own message, and not by a failed benchmark.
      try (Backend device = Backends.open(Settings.load().withBackend(backend))) {
        all = implementations.apply(device);
      }
      for (int context : contexts) {
        all.forEach(implementation -> out.add(new Point(backend, implementation, context)));
      }
    }
    return out;
  }

  private RunResult measure(Point p) throws IOException {
    // What the measured process prints goes to a file, not between the lines of the caller.
    Path log =
        out == null
            ? Files.createTempFile("quern-bench", ".log")
            : out.resolve(
                "%s-%s-%s-%d.log"
                    .formatted(
                        name, p.backend().replace(':', '-'), p.implementation(), p.context()));
    try {
      return measure(p, log);
    } finally {
      if (out == null) {
        Files.deleteIfExists(log);
      }
    }
  }

  private RunResult measure(Point p, Path log) {
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include(benchmark.getName())
            .addProfiler(PeakMemory.class)
            .shouldFailOnError(true)
            .verbosity(VerboseMode.NORMAL)
            .output(log.toString())
            .param("backend", p.backend())
            .param("context", Integer.toString(p.context()))
            .param("implementation", p.implementation());
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
          "the benchmark %s failed: %s".formatted(p, root.getMessage()), e);
    }
  }
}
