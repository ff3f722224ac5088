package org.quern.tck;

import java.lang.reflect.Method;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.quern.core.Backend;
import org.quern.core.Ops;

/// What [Kit#run] found.
public final class Report {
  private final Backend backend;
  private final List<Outcome> outcomes;

  Report(Backend backend, List<Outcome> outcomes) {
    this.backend = backend;
    this.outcomes = List.copyOf(outcomes);
  }

  /// {@return all outcomes}
  public List<Outcome> outcomes() {
    return outcomes;
  }

  /// {@return those that failed}
  public List<Outcome> failures() {
    return outcomes.stream().filter(o -> o.status() == Outcome.Status.FAILED).toList();
  }

  /// {@return whether nothing failed}
  public boolean passed() {
    return failures().isEmpty();
  }

  /// {@return one line an operation: whether the backend has its own or the default composition,
  /// how many cases passed, failed and are not supported, and the largest error as a share of what
  /// is allowed}
  public String supportTable() {
    Map<String, Row> rows = new LinkedHashMap<>();
    for (Outcome o : outcomes) {
      rows.computeIfAbsent(Check.group(o.check()), k -> new Row()).add(o);
    }
    StringBuilder out = new StringBuilder();
    out.append(
        "%-24s%-9s%8s%8s%13s%8s%n"
            .formatted("operation", "made", "passed", "failed", "unsupported", "error"));
    rows.forEach(
        (op, r) ->
            out.append(
                String.format(
                    Locale.ROOT,
                    "%-24s%-9s%8d%8d%13d%7.0f%%%n",
                    op,
                    made(op),
                    r.passed,
                    r.failed,
                    r.unsupported,
                    100 * r.worst)));
    return out.toString();
  }

  private static final class Row {
    private int passed;
    private int failed;
    private int unsupported;
    private double worst;

    void add(Outcome o) {
      switch (o.status()) {
        case PASSED -> passed++;
        case FAILED -> failed++;
        case UNSUPPORTED -> unsupported++;
      }
      worst = Math.max(worst, o.ratio());
    }
  }

  /// {@return `own`, `default`, or nothing when this is no operation}
  private String made(String op) {
    for (Method m : backend.ops().getClass().getMethods()) {
      if (m.getName().equals(op)) {
        return m.getDeclaringClass() == Ops.class ? "default" : "own";
      }
    }
    return "";
  }
}
