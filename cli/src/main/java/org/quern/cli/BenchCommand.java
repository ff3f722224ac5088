package org.quern.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.bench.AttentionRun;
import org.quern.bench.RunListener;
import org.quern.bench.SoftmaxRun;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `quern bench`.
@Command(
    name = "bench",
    description = "Measures with JMH.",
    subcommands = {BenchCommand.Attention.class, BenchCommand.Softmax.class})
final class BenchCommand {
  private BenchCommand() {}

  /// What all benchmarks take.
  abstract static class Benchmark extends BaseCommand {
    @Option(
        names = "--context",
        split = ",",
        paramLabel = "T",
        description = "Context lengths. Default: 128 and on.")
    List<Integer> contexts = List.of();

    @Option(
        names = "--out",
        paramLabel = "DIR",
        description = "Takes JMH's JSON and a Markdown table.")
    @Nullable Path out;

    @Option(names = "--quick", description = "A look, not a measurement.")
    boolean quick;

    /// {@return the table}
    ///
    /// @param backends the one chosen, or none
    abstract String run(List<String> backends, RunListener listener) throws IOException;

    @Override
    public final Integer call() throws IOException {
      for (int t : contexts) {
        if (t < 1 || t > 1 << 20) {
          throw new IllegalArgumentException("--context must be from 1 to 1048576, found " + t);
        }
      }
      String table;
      try (Progress bar = Progress.open("bench", "runs", 0, 1, err())) {
        table =
            run(
                backend == null ? List.of() : List.of(backend),
                (done, total, what) -> {
                  bar.of(total);
                  bar.to(done);
                  bar.message(what);
                });
      }
      out().println(table);
      out().flush();
      return 0;
    }
  }

  /// `quern bench attention`.
  @Command(
      name = "attention",
      description = "Causal attention across context lengths: unfused, flash, the ladder.")
  static final class Attention extends Benchmark {
    @Override
    String run(List<String> backends, RunListener listener) throws IOException {
      return new AttentionRun(contexts, backends, quick, out).run(listener);
    }
  }

  /// `quern bench softmax`.
  @Command(name = "softmax", description = "Scale, mask and softmax: in one kernel and in three.")
  static final class Softmax extends Benchmark {
    @Override
    String run(List<String> backends, RunListener listener) throws IOException {
      return new SoftmaxRun(contexts, backends, quick, out).run(listener);
    }
  }
}
