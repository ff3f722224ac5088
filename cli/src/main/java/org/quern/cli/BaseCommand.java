package org.quern.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.quern.core.Settings;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// What all commands have: where to run, and how much to say when something fails.
abstract class BaseCommand implements Callable<Integer> {
  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "auto, cpu, cuda[:n] or opencl[:n]; as -Dquern.backend.")
  @Nullable String backend;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "CPU threads; 0 for all processors; as -Dquern.threads.")
  @Nullable Integer threads;

  @Option(names = "--stacktrace", description = "Show where an error came from.")
  boolean stacktrace;

  @Spec @Nullable CommandSpec spec;

  /// {@return the settings of environment, properties and options}
  final Settings settings() {
    Settings s = Settings.load();
    if (backend != null) {
      s = s.withBackend(backend);
    }
    return threads == null ? s : s.withThreads(threads);
  }

  /// {@return where results go}
  final PrintWriter out() {
    CommandSpec s = spec;
    if (s == null) {
      throw new IllegalStateException("not run by the command line");
    }
    return s.commandLine().getOut();
  }

  /// {@return where remarks go}
  final PrintWriter err() {
    CommandSpec s = spec;
    if (s == null) {
      throw new IllegalStateException("not run by the command line");
    }
    return s.commandLine().getErr();
  }
}
