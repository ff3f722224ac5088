package org.quern.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/// What was measured: the conditions, the machine's ceilings, and a row for each point.
///
/// @param study what
/// @param conditions of all figures
/// @param ceilings of each backend
/// @param rows in the order of measurement
public record Report(Study study, Conditions conditions, List<Ceiling> ceilings, List<Row> rows) {
  private static final double PERCENT = 100;
  private static final double MEBIBYTE = 1 << 20;

  /// Copies the lists.
  public Report {
    ceilings = List.copyOf(ceilings);
    rows = List.copyOf(rows);
  }

  /// A table of text.
  ///
  /// @param head names of the columns
  /// @param numbers whether a column holds numbers
  /// @param cells of each row
  record Table(List<String> head, List<Boolean> numbers, List<List<String>> cells) {
    String markdown() {
      StringBuilder out = new StringBuilder();
      line(out, head);
      line(out, numbers.stream().map(n -> n ? "---:" : "---").toList());
      cells.forEach(row -> line(out, row));
      return out.toString();
    }

    private static void line(StringBuilder out, List<String> row) {
      out.append("| ").append(String.join(" | ", row)).append(" |\n");
    }
  }

  /// {@return the ceilings of a row's backend}
  Ceiling ceiling(Row row) {
    return ceilings.stream()
        .filter(c -> c.backend().equals(row.get("backend")))
        .findFirst()
        .orElseThrow(() -> new IllegalStateException("no ceilings of " + row.get("backend")));
  }

  /// {@return parameters that have one value in all rows, unless there is only one row}
  Map<String, String> constants() {
    Map<String, String> out = new LinkedHashMap<>();
    for (String name : parameters()) {
      if (values(name).size() == 1 && !name.equals("backend")) {
        out.put(name, values(name).getFirst());
      }
    }
    return out;
  }

  private List<String> parameters() {
    return List.copyOf(rows.getFirst().params().keySet());
  }

  /// {@return the values of a parameter, in order of appearance}
  List<String> values(String name) {
    return rows.stream().map(r -> r.get(name)).distinct().toList();
  }

  /// {@return whether any row knows a number}
  boolean knows(ToDoubleFunction<Row> number) {
    return rows.stream().anyMatch(r -> Double.isFinite(number.applyAsDouble(r)));
  }

  /// {@return all as Markdown}
  public String markdown() {
    StringBuilder out = new StringBuilder("# " + study.title() + "\n");
    out.append(study.about()).append("\n\n");
    conditions.facts().forEach((name, value) -> out.append("- %s: %s\n".formatted(name, value)));
    if (!constants().isEmpty()) {
      out.append("- in all rows: ").append(constantsText()).append('\n');
    }
    out.append("\n## Ceilings\n").append(ABOUT_CEILINGS).append("\n\n");
    out.append(ceilingTable().markdown());
    out.append("\n## Results\n").append(ABOUT_TIMES).append("\n\n");
    return out.append(table().markdown()).toString();
  }

  static final String ABOUT_CEILINGS =
      "What the machine can do at all, measured in the same run, the best iteration: multiply-adds"
          + " in registers (on devices the best large product), reading a large array, copying one"
          + " (reads and writes counted).";

  static final String ABOUT_TIMES =
      "Times are of one call: the median of the iterations, the fastest and the slowest; rates are"
          + " by the median. The ceiling is the least time that arithmetic or memory allows, as a"
          + " share of the time taken; above 100 % the data stayed in a cache.";

  String constantsText() {
    return constants().entrySet().stream()
        .map(e -> e.getKey() + " " + e.getValue())
        .collect(Collectors.joining(", "));
  }

  Table ceilingTable() {
    List<List<String>> cells = new ArrayList<>();
    for (Ceiling c : ceilings) {
      cells.add(
          List.of(
              c.backend(),
              text(c.flops() * 1e-9),
              text(c.read() * 1e-9),
              text(c.copy() * 1e-9),
              text(c.ridge())));
    }
    return new Table(
        List.of("backend", "GFLOP/s", "read, GB/s", "copy, GB/s", "ridge, FLOP/byte"),
        List.of(false, true, true, true, true),
        cells);
  }

  Table table() {
    Map<String, String> constants = constants();
    List<String> params = new ArrayList<>(parameters());
    params.removeIf(p -> constants.containsKey(p) && rows.size() > 1);
    List<String> head = new ArrayList<>(params);
    List<Boolean> numbers = new ArrayList<>();
    params.forEach(p -> numbers.add(isX(p)));
    Map<String, ToDoubleFunction<Row>> columns = columns();
    head.addAll(columns.keySet());
    columns.keySet().forEach(c -> numbers.add(true));
    boolean shares = knows(this::share);
    if (shares) {
      head.add("ceiling");
      numbers.add(false);
    }
    List<List<String>> cells = new ArrayList<>();
    for (Row r : rows) {
      List<String> line = new ArrayList<>();
      params.forEach(p -> line.add(r.get(p)));
      columns.values().forEach(c -> line.add(text(c.applyAsDouble(r))));
      if (shares) {
        line.add(shareText(r));
      }
      cells.add(line);
    }
    return new Table(head, numbers, cells);
  }

  private boolean isX(String name) {
    return study.axes().stream().anyMatch(a -> a.name().equals(name) && a.role() == Study.Role.X);
  }

  private Map<String, ToDoubleFunction<Row>> columns() {
    boolean slow = rows.stream().mapToDouble(Row::median).average().orElse(0) >= 0.1;
    String unit = slow ? "ms" : "us";
    double scale = slow ? 1e3 : 1e6;
    Map<String, ToDoubleFunction<Row>> out = new LinkedHashMap<>();
    out.put(unit, r -> r.median() * scale);
    out.put("min", r -> r.min() * scale);
    out.put("max", r -> r.max() * scale);
    out.put("tokens/s", Row::tokens);
    out.put("GFLOP/s", Row::gigaflops);
    out.put("GB/s", Row::gigabytes);
    out.values().removeIf(column -> !knows(column));
    if (rows.stream().anyMatch(r -> r.work().memory() > 0)) {
      out.put("memory, MiB", r -> r.work().memory() / MEBIBYTE);
    }
    return out;
  }

  private double share(Row row) {
    return ceiling(row).share(row);
  }

  private String shareText(Row row) {
    double share = share(row);
    return Double.isNaN(share)
        ? ""
        : String.format(
            Locale.ROOT,
            "%.0f %% of %s",
            share * PERCENT,
            ceiling(row).bound(row) == Ceiling.Bound.COMPUTE ? "FLOP/s" : "GB/s");
  }

  /// {@return three digits, or more before the point; empty for NaN}
  static String text(double x) {
    if (Double.isNaN(x)) {
      return "";
    }
    double size = Math.abs(x);
    String format = size >= 99.95 || size == 0 ? "%.0f" : size >= 9.995 ? "%.1f" : "%.2f";
    return String.format(Locale.ROOT, size > 0 && size < 0.01 ? "%.2g" : format, x);
  }
}
