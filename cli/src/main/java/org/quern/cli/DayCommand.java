package org.quern.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.DType;
import org.quern.core.DeviceException;
import org.quern.core.Settings;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.tck.Ceilings;
import org.quern.tck.Check;
import org.quern.tck.Kit;
import org.quern.tck.OpCase;
import org.quern.tck.Report;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `quern day`.
@Command(
    name = "day",
    description = {
      "Everything worth knowing of a device, in one report.",
      "For a GPU that is here for a day: the compatibility kit, ceilings, attention, products,"
          + " decoding and training. Takes about half an hour on a GPU."
    })
final class DayCommand extends BaseCommand {
  private static final List<DType> REAL = List.of(DType.F32, DType.BF16, DType.F16);

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Takes report.md and report.json. Default: ${DEFAULT-VALUE}.",
      defaultValue = "day")
  Path out = Path.of("day");

  @Option(names = "--toy", description = "Tiny sizes: only to see that it runs.")
  boolean toy;

  @Option(names = "--commit", paramLabel = "ID", description = "Of the sources, for the report.")
  @Nullable String commit;

  private final DayReport report = new DayReport();

  @Override
  public Integer call() throws IOException {
    Files.createDirectories(out);
    Settings settings = settings();
    DayPlan plan = toy ? DayPlan.TOY : DayPlan.WHOLE;
    boolean stopped = false;
    try (Interrupts interrupts = new Interrupts();
        Progress bar = Progress.open("day", "steps", 0, 1, err())) {
      int[] steps = {0};
      DayTimer timer =
          new DayTimer(
              report,
              what -> {
                bar.of(Math.max(600, steps[0] + 1));
                bar.to(steps[0]++);
                bar.message(what);
                if (interrupts.requested()) {
                  throw new DayTimer.Stopped();
                }
              });
      try {
        run(plan, settings, timer);
      } catch (DayTimer.Stopped e) {
        stopped = true;
        report.trouble("stopped before the end");
      } finally {
        report.write(out);
      }
    }
    out().println(report.markdown());
    out().println("kept in " + out.resolve("report.md") + " and report.json");
    out().flush();
    return stopped ? Failures.INTERRUPTED : report.troubles().isEmpty() ? 0 : Failures.FAILED;
  }

  private void run(DayPlan plan, Settings settings, DayTimer timer) throws IOException {
    report.fact("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    report.fact("commit", commit == null ? "not told" : commit);
    report.fact("version", String.join(", ", new Version().getVersion()));
    report.fact("sizes", toy ? "toy: the numbers say nothing" : "whole");
    settings.asMap().forEach(report::fact);
    try (Backend backend = Backends.open(settings)) {
      report.device(backend.device());
      section("kit", () -> kit(plan, backend, timer));
      section("ceilings", () -> ceilings(backend, timer));
      section("products", () -> products(plan, backend, timer));
      section(
          "attention",
          () ->
              new DayAttention(plan, timer, report.add(DayAttention.table(plan)))
                  .run(backend, "", REAL));
    }
    DayModel model = new DayModel(plan, timer);
    section("decoding", () -> model.decode(settings, report.add(model.decodingTable())));
    section("training", () -> model.train(settings, report, report.add(model.trainingTable())));
  }

  /// Runs a part of the day. What goes wrong in it is noted, and the rest goes on; what is known is
  /// written at once, since a rented machine may go away.
  private void section(String name, Runnable part) throws IOException {
    try {
      part.run();
    } catch (DayTimer.Stopped e) {
      throw e;
    } catch (DeviceException | IllegalStateException | IllegalArgumentException e) {
      report.trouble(name + ": " + e.getMessage());
    }
    report.write(out);
  }

  private void kit(DayPlan plan, Backend backend, DayTimer timer) {
    List<Check> checks = new ArrayList<>();
    for (int i = 0; i < Kit.checks().size(); i += plan.everyCheck()) {
      checks.add(Kit.checks().get(i));
    }
    Verification found =
        Verification.run(
            backend,
            checks,
            List.of(),
            (done, what) -> {
              timer.next("check of " + what);
              return true;
            });
    if (found == null) {
      throw new DayTimer.Stopped();
    }
    DayReport.Table table =
        report.add(
            DayReport.Table.of(
                "Compatibility",
                "Against float64; a result may be as far off as the tolerance rule of the kit"
                    + " allows.",
                "operation",
                "storage",
                "cases",
                "passed",
                "failed",
                "unsupported",
                "worst error / allowed"));
    found
        .report()
        .rows()
        .forEach(
            row ->
                table.add(
                    row.operation(),
                    Report.text(row.storage()),
                    row.cases(),
                    row.passed(),
                    row.failed(),
                    row.unsupported(),
                    share(row)));
    found.failures().forEach(f -> report.trouble(f.what() + ": " + f.message()));
  }

  private static Object share(Report.Row row) {
    if (row.worst().output().isEmpty()) {
      return "";
    }
    return row.worst().allowed() == 0 ? "exact" : row.worst().error() / row.worst().allowed();
  }

  private void ceilings(Backend backend, DayTimer timer) {
    timer.next("ceilings");
    Ceilings c = toy ? Ceilings.measure(backend, 1 << 16, 64) : Ceilings.measure(backend);
    DayReport.Table table =
        report.add(
            DayReport.Table.of(
                "Ceilings",
                "A large copy, read and write counted; the best square F32 product.",
                "what",
                "size",
                "GB/s",
                "TFLOP/s"));
    table.add("copy", c.copyBytes() + " bytes", c.copyRate() * 1e-9, "");
    table.add("product", c.matmulSize(), "", c.matmulRate() * 1e-12);
  }

  private void products(DayPlan plan, Backend backend, DayTimer timer) {
    DayReport.Table table =
        report.add(
            DayReport.Table.of(
                "Products",
                "c = a b^T, square, all of one storage.",
                "storage",
                "M = N = K",
                "milliseconds",
                "TFLOP/s"));
    for (DType dtype : REAL) {
      for (int n : plan.squares()) {
        OpCase call =
            new OpCase(
                "matmul",
                "%s %d".formatted(dtype, n),
                List.of(dtype),
                2.0 * n * n * n,
                OpCase.Need.OPTIONAL,
                OpCase.Precision.ROUNDED,
                t -> {
                  Tensor a = t.normal("a", dtype, n, n);
                  Tensor b = t.normal("b", dtype, n, n);
                  Sink c = Sink.set(t.output("c", dtype, n, n));
                  return () -> t.ops().matmul(c, a, Trans.N, b, Trans.T, 1);
                });
        timer.time(
            backend,
            call,
            s -> table.add(dtype, n, s.seconds() * 1e3, s.gigaflops() * 1e-3),
            why -> table.add(dtype, n, why, ""));
      }
    }
  }
}
