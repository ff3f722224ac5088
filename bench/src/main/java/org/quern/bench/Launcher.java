package org.quern.bench;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.BenchmarkException;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.VerboseMode;

/// Has JMH measure single points, each in a process of its own.
///
/// @param effort how long
/// @param threads `quern.threads` of the processes; empty for what they find themselves
record Launcher(Effort effort, OptionalInt threads) {
  /// What every JVM that computes needs.
  static final List<String> JVM =
      List.of(
          "--add-modules=jdk.incubator.vector",
          "--enable-native-access=ALL-UNNAMED",
          "--sun-misc-unsafe-memory-access=allow");

  /// {@return what JMH found}
  ///
  /// @param benchmark which
  /// @param params its parameters
  /// @param callers how many threads call it
  /// @throws IOException if no temporary file can be made
  /// @throws IllegalArgumentException if the benchmark fails, with its own reason
  RunResult measure(Class<?> benchmark, Map<String, String> params, int callers)
      throws IOException {
    // What the measured process prints goes to a file, not between the lines of the caller.
    Path log = Files.createTempFile("quern-bench", ".log");
    log.toFile().deleteOnExit();
    try {
      return measure(benchmark, params, callers, log);
    } catch (RunnerException e) {
      throw new IllegalArgumentException(
          "the benchmark %s %s failed: %s"
              .formatted(benchmark.getSimpleName(), params, root(e).getMessage()),
          e);
    } finally {
      Files.deleteIfExists(log);
    }
  }

  /// {@return what the benchmark threw: JMH wraps it, or keeps it among the suppressed}
  private static Throwable root(Throwable e) {
    Throwable root = e;
    while (root instanceof RunnerException
        || root instanceof BenchmarkException
        || root instanceof InvocationTargetException) {
      Throwable cause = root.getCause();
      if (cause == null && root.getSuppressed().length == 0) {
        return root;
      }
      root = cause == null ? root.getSuppressed()[0] : cause;
    }
    return root;
  }

  private RunResult measure(Class<?> benchmark, Map<String, String> params, int callers, Path log)
      throws RunnerException {
    ChainedOptionsBuilder options =
        new OptionsBuilder()
            .include("^" + benchmark.getName().replace(".", "\\.") + "\\.")
            .addProfiler(WorkProfiler.class)
            .shouldFailOnError(true)
            .verbosity(VerboseMode.NORMAL)
            .threads(callers)
            .output(log.toString())
            .jvmArgsAppend(jvmArguments().toArray(String[]::new));
    params.forEach(options::param);
    effort.apply(options);
    return new Runner(options.build()).runSingle();
  }

  private List<String> jvmArguments() {
    List<String> out = new ArrayList<>(JVM);
    threads.ifPresent(n -> out.add("-Dquern.threads=" + n));
    return out;
  }
}
