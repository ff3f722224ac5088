package org.quern.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Precision;
import org.quern.core.Settings;
import org.quern.tck.Check;
import org.quern.tck.Kit;
import org.quern.tck.OpCase;
import org.quern.tck.OpCases;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `quern verify`.
@Command(
    name = "verify",
    description = {
      "Compares a device's results with float64, and measures its speed.",
      "Runs the compatibility kit; takes a minute or two. With --llmc, compares logits,",
      "loss and gradients of a checkpoint with what PyTorch wrote for llm.c's test."
    })
final class VerifyCommand extends BaseCommand {
  private static final int WIDTH = 76;

  @Option(
      names = "--op",
      split = ",",
      paramLabel = "NAME",
      description = "Only these operations, such as matmul,attention.")
  List<String> operations = List.of();

  @Option(names = "--quick", description = "Only errors, no speed.")
  boolean quick;

  @Option(
      names = "--llmc",
      arity = "1..2",
      paramLabel = "FILE",
      description = {
        "A checkpoint of llm.c, and its debug state if that is not beside it as",
        "NAME_debug_state.bin."
      })
  List<Path> llmc = List.of();

  @Option(names = "--json", description = "As one JSON object.")
  boolean json;

  @Override
  public Integer call() throws IOException {
    // The kit holds products with prepared weights to the accuracy of F32.
    Settings settings = settings().withPrecision(Precision.F32);
    if (!llmc.isEmpty()) {
      if (quick || !operations.isEmpty()) {
        throw new IllegalArgumentException("--llmc goes without --op and --quick");
      }
      return new LlmcCheck(llmc, settings, json, out()).run();
    }
    Set<String> known =
        Kit.checks().stream().map(c -> Check.group(c.name())).collect(Collectors.toSet());
    Set<String> chosen = operations.isEmpty() ? known : chosen(known);
    List<Check> checks =
        Kit.checks().stream().filter(c -> chosen.contains(Check.group(c.name()))).toList();
    List<OpCase> calls =
        quick
            ? List.of()
            : OpCases.forSpeed().stream().filter(c -> chosen.contains(c.op())).toList();
    Verification found;
    try (Interrupts interrupts = new Interrupts();
        Backend device = Backends.open(settings)) {
      found = run(device, checks, calls, interrupts);
    }
    if (found == null) {
      return Failures.INTERRUPTED;
    }
    if (json) {
      out().println(JsonParts.text(g -> new VerifyJson(g, found).write(settings.asMap())));
      out().flush();
    } else {
      new VerifyTable(out(), found).print();
    }
    return code(found);
  }

  /// {@return what the process exits with}
  static int code(Verification found) {
    return found.failures().isEmpty() ? 0 : Failures.FAILED;
  }

  private Set<String> chosen(Set<String> known) {
    for (String name : operations) {
      if (!known.contains(name)) {
        String names = String.join(", ", new TreeSet<>(known));
        throw new IllegalArgumentException(
            "--op: no operation '%s'. There are:%n  %s"
                .formatted(name, String.join("%n  ".formatted(), Text.wrap(names, WIDTH))));
      }
    }
    return Set.copyOf(new TreeSet<>(operations));
  }

  private @Nullable Verification run(
      Backend device, List<Check> checks, List<OpCase> calls, Interrupts interrupts) {
    int total = Verification.steps(checks, calls);
    int[] taken = {0};
    Verification found;
    try (Progress bar = Progress.open("verify", "steps", 0, total, err())) {
      found =
          Verification.run(
              device,
              checks,
              calls,
              (done, what) -> {
                taken[0] = done;
                bar.to(done);
                bar.message(what);
                return !interrupts.requested();
              });
      if (found != null) {
        bar.to(total);
      }
    }
    if (found == null) {
      err().printf("stopped behind step %d of %d: nothing is concluded%n", taken[0], total);
      err().flush();
    }
    return found;
  }
}
