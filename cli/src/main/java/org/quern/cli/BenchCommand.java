package org.quern.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.bench.AttentionRun;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `quern bench`.
@Command(
    name = "bench",
    description = "Measures with JMH.",
    subcommands = BenchCommand.Attention.class)
final class BenchCommand {
  private BenchCommand() {}

  /// `quern bench attention`.
  @Command(
      name = "attention",
      description = "Causal attention across context lengths, unfused and flash.")
  static final class Attention extends BaseCommand {
    @Option(
        names = "--context",
        split = ",",
        paramLabel = "T",
        description = "Context lengths. Default: 128 to 4096.")
    List<Integer> contexts = List.of();

    @Option(
        names = "--out",
        paramLabel = "DIR",
        description = "Takes JMH's JSON and a Markdown table.")
    @Nullable Path out;

    @Option(names = "--quick", description = "A look, not a measurement.")
    boolean quick;

    @Override
    public Integer call() throws IOException {
      for (int t : contexts) {
        if (t < 1 || t > 1 << 20) {
          throw new IllegalArgumentException("--context must be from 1 to 1048576, found " + t);
        }
      }
      List<String> backends = backend == null ? List.of() : List.of(backend);
      AttentionRun run = new AttentionRun(contexts, backends, quick, out);
      String table;
      try (Progress bar = Progress.open("bench", "runs", 0, 1, err())) {
        table =
            run.run(
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
}
