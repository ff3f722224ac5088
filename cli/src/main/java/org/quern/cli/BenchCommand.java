package org.quern.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import org.quern.bench.Effort;
import org.quern.bench.Peers;
import org.quern.bench.Report;
import org.quern.bench.RunListener;
import org.quern.bench.Studies;
import org.quern.bench.Study;
import org.quern.bench.Sweep;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/// `quern bench`.
@Command(
    name = "bench",
    description = {
      "Measures with JMH, each point in a process of its own, beside the machine's",
      "own ceilings; each result is checked before it is timed."
    })
final class BenchCommand extends BaseCommand {
  private static final String CONTEXT = "context";
  private static final int LONGEST_CONTEXT = 1 << 20;

  @Parameters(
      index = "0",
      paramLabel = "NAME",
      converter = StudyConverter.class,
      completionCandidates = StudyNames.class,
      description = "What: ${COMPLETION-CANDIDATES}.")
  Study study = Studies.ALL.getFirst();

  @Option(
      names = "--context",
      split = ",",
      paramLabel = "T",
      description = "Context lengths, where the benchmark has them.")
  List<Integer> contexts = List.of();

  @Option(
      names = "--param",
      paramLabel = "NAME=A,B",
      description = "Values of a parameter, such as head=64,128.")
  Map<String, String> params = Map.of();

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Takes JMH's JSON, a table, and a page with plots.")
  @Nullable Path out;

  @Option(names = "--quick", description = "A look, not a measurement.")
  boolean quick;

  @Option(
      names = "--peers",
      description = {
        "Then the CPU beside PyTorch, ONNX Runtime, Jlama, MKL and OpenBLAS, in turns in one",
        "process; --out takes ratios.json. They are built first: some 450 MB are loaded."
      })
  boolean peers;

  @Option(
      names = "--llama-bench",
      paramLabel = "FILE",
      description = "With --peers: llama.cpp's llama-bench, for prefill and decode.")
  @Nullable Path llamaBench;

  @Option(
      names = "--llama-model",
      paramLabel = "FILE",
      description = "What it runs: a GPT-2 124M in GGUF, in the precision that is measured.")
  @Nullable Path llamaModel;

  @Option(names = "--toy", hidden = true, description = "Only to see that it runs.")
  boolean toy;

  static final class StudyConverter implements ITypeConverter<Study> {
    @Override
    public Study convert(String name) {
      try {
        return Studies.named(name);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  static final class StudyNames implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Studies.ALL.stream().map(Study::name).iterator();
    }
  }

  @Override
  public Integer call() throws IOException {
    Sweep sweep =
        new Sweep(
            study,
            backend == null ? List.of() : Arrays.asList(backend.split(",", -1)),
            values(),
            threads == null ? OptionalInt.empty() : OptionalInt.of(settings().threads()),
            effort(),
            out);
    if ((llamaBench == null) != (llamaModel == null) || (llamaBench != null && !peers)) {
      throw new IllegalArgumentException(
          "--llama-bench and --llama-model go together, and with --peers");
    }
    Peers others = peers ? Peers.load() : null;
    if (others != null) {
      others.check(beside(sweep)); // told before minutes of measuring
    }
    try (Interrupts interrupts = new Interrupts();
        Progress bar = Progress.open("bench", "runs", 0, 1, err())) {
      RunListener listener =
          (done, total, what) -> {
            if (interrupts.requested()) {
              throw new CancellationException();
            }
            bar.of(total);
            bar.to(done);
            bar.message(what);
          };
      String lost = "nothing";
      try {
        Report report = sweep.run(listener);
        lost = "no ratios.json";
        out().println(report.markdown());
        if (out != null) {
          out().println("kept in " + out.resolve(study.name() + ".html") + ", .md and .json");
        }
        out().flush();
        if (others != null) {
          out().println(others.run(beside(sweep), listener));
          out().flush();
        }
      } catch (CancellationException | IllegalArgumentException e) {
        if (!interrupts.requestedSoon()) {
          throw e;
        }
        bar.print("quern: stopped; " + lost + " was written");
        return Failures.INTERRUPTED;
      }
    }
    return 0;
  }

  private Peers.Request beside(Sweep sweep) {
    int given = settings().threads();
    int all = given == 0 ? Runtime.getRuntime().availableProcessors() : given;
    return new Peers.Request(study.name(), sweep.chosen(), all, effort(), out, llama());
  }

  private Peers.@Nullable Llama llama() {
    Path bench = llamaBench;
    Path model = llamaModel;
    return bench == null || model == null ? null : new Peers.Llama(bench, model);
  }

  private Effort effort() {
    return toy ? Effort.TOY : quick ? Effort.QUICK : Effort.WHOLE;
  }

  private Map<String, List<String>> values() {
    Map<String, List<String>> chosen = new LinkedHashMap<>();
    params.forEach((name, values) -> chosen.put(name, Arrays.asList(values.split(",", -1))));
    if (!contexts.isEmpty()) {
      List<String> texts = new ArrayList<>();
      for (int t : contexts) {
        if (t < 1 || t > LONGEST_CONTEXT) {
          throw new IllegalArgumentException(
              "--context must be from 1 to %d, found %d".formatted(LONGEST_CONTEXT, t));
        }
        texts.add(Integer.toString(t));
      }
      chosen.put(CONTEXT, texts);
    }
    return chosen;
  }
}
