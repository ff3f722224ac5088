package org.quern.bench;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.results.format.ResultFormatFactory;
import org.openjdk.jmh.results.format.ResultFormatType;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Settings;
import org.quern.io.AtomicFile;
import org.quern.tck.Ceilings;

/// Measures a study: first the ceilings of each backend, then every combination, each in a process
/// of its own.
///
/// @param study what
/// @param backends where to compute; empty for the CPU
/// @param chosen values by parameter in place of the usual ones
/// @param threads of the CPU; empty for what `quern.threads` says
/// @param effort how long
/// @param out takes JMH's JSON, the table and the page; null for nowhere. Files of an earlier run
///   are replaced, each as a whole, when all is measured
public record Sweep(
    Study study,
    List<String> backends,
    Map<String, List<String>> chosen,
    OptionalInt threads,
    Effort effort,
    @Nullable Path out) {
  private static final int SMALL_PRODUCT = 64;
  private static final int LARGE_PRODUCT = 8192;

  /// Copies the collections.
  public Sweep {
    backends = backends.isEmpty() ? List.of("cpu") : List.copyOf(backends);
    chosen = Map.copyOf(chosen);
  }

  /// {@return what was measured}
  ///
  /// @param listener hears of each measurement
  /// @throws IOException if the results cannot be written
  /// @throws IllegalArgumentException if a backend cannot run, gives wrong results, or nothing is
  ///   left to measure
  public Report run(RunListener listener) throws IOException {
    checkOut();
    // An absent device is told here, by its own message, and not by a failed benchmark.
    List<Machine> machines = backends.stream().map(Machine::of).toList();
    int[] skipped = {0};
    List<Study.Point> points = points(machines, skipped);
    if (points.isEmpty()) {
      throw new IllegalArgumentException(
          "nothing to measure: none of the %d combinations is offered there, or of a size that"
                  .formatted(skipped[0])
              + " ends");
    }
    Launcher launcher = new Launcher(effort, threads);
    List<RunResult> raw = new ArrayList<>();
    List<Ceiling> ceilings = new ArrayList<>();
    for (Machine m : machines) {
      listener.next(0, points.size(), "ceilings of " + m.backend());
      ceilings.add(ceiling(m, launcher, raw));
    }
    List<Row> rows = new ArrayList<>();
    for (Study.Point p : points) {
      listener.next(rows.size(), points.size(), p.toString());
      RunResult found = launcher.measure(study.benchmark(), p.values(), 1);
      raw.add(found);
      rows.add(Row.of(p, found));
    }
    Report report =
        new Report(study, Conditions.of(machines, effort, threads, skipped[0]), ceilings, rows);
    if (out != null) {
      write(out, report, raw);
    }
    return report;
  }

  private void checkOut() throws IOException {
    if (out == null) {
      return;
    }
    if (Files.exists(out) && !Files.isDirectory(out)) {
      throw new IllegalArgumentException(
          "--out %s is a file: name a folder, which need not exist".formatted(out));
    }
    Files.createDirectories(out);
    if (!Files.isWritable(out)) {
      throw new IllegalArgumentException("--out %s: no permission to write there".formatted(out));
    }
  }

  private List<Study.Point> points(List<Machine> machines, int[] skipped) {
    Map<String, List<String>> values = study.values(chosen);
    List<Study.Point> all = new ArrayList<>();
    for (Machine m : machines) {
      List<Map<String, String>> combinations = List.of(Map.of("backend", m.backend()));
      for (Map.Entry<String, List<String>> axis : values.entrySet()) {
        List<Map<String, String>> longer = new ArrayList<>();
        for (Map<String, String> c : combinations) {
          for (String value : axis.getValue()) {
            Map<String, String> one = new LinkedHashMap<>(c);
            one.put(axis.getKey(), value);
            longer.add(one);
          }
        }
        combinations = longer;
      }
      for (Map<String, String> c : combinations) {
        Study.Point p = new Study.Point(c);
        if (study.filter().measured(m, p)) {
          all.add(p);
        } else {
          skipped[0]++;
        }
      }
    }
    return all;
  }

  private Ceiling ceiling(Machine machine, Launcher launcher, List<RunResult> raw)
      throws IOException {
    if (!machine.isCpu()) {
      Settings settings = Settings.load().withBackend(machine.backend());
      try (Backend device = Backends.open(settings)) {
        int product = effort == Effort.TOY ? SMALL_PRODUCT : LARGE_PRODUCT;
        Ceilings found = Ceilings.measure(device, effort.ceilingBytes(), product);
        return new Ceiling(machine.backend(), found.matmulRate(), Double.NaN, found.copyRate());
      }
    }
    int callers = Conditions.callers(threads);
    double[] best = new double[CeilingBenchmark.KINDS.size()];
    for (int i = 0; i < best.length; i++) {
      Map<String, String> params =
          Map.of(
              "kind", CeilingBenchmark.KINDS.get(i),
              "bytes", Long.toString(effort.ceilingBytes()));
      RunResult found = launcher.measure(CeilingBenchmark.class, params, callers);
      raw.add(found);
      best[i] = callers * Row.of(new Study.Point(params), found).best();
    }
    return new Ceiling(machine.backend(), best[0], best[1], best[2]);
  }

  private void write(Path folder, Report report, List<RunResult> raw) {
    ByteArrayOutputStream json = new ByteArrayOutputStream();
    ResultFormatFactory.getInstance(
            ResultFormatType.JSON, new PrintStream(json, true, StandardCharsets.UTF_8))
        .writeOut(raw);
    AtomicFile.write(folder.resolve(study.name() + ".json"), json.toByteArray());
    text(folder.resolve(study.name() + ".md"), report.markdown());
    text(folder.resolve(study.name() + ".html"), Page.of(report));
  }

  private static void text(Path file, String content) {
    AtomicFile.write(file, content.getBytes(StandardCharsets.UTF_8));
  }
}
