package org.quern.tck;

import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Ops;

/// What the checks found on a backend.
public final class Report {
  private final Backend backend;
  private final List<Outcome> outcomes;

  /// Sums up.
  ///
  /// @param backend where the checks ran
  /// @param outcomes of all of them or some
  public Report(Backend backend, List<Outcome> outcomes) {
    this.backend = backend;
    this.outcomes = List.copyOf(outcomes);
  }

  /// What was found about one operation in one storage.
  ///
  /// @param operation the first word of the checks' names
  /// @param storage their [Check#storage]
  /// @param made whether the backend has its `own` or the `default` composition; empty when this is
  ///   no operation
  /// @param passed how many checks did
  /// @param failed how many did
  /// @param unsupported how many the backend does not have, and need not
  /// @param worst of the check that is nearest to what is allowed, or farthest beyond it
  public record Row(
      String operation,
      List<DType> storage,
      String made,
      int passed,
      int failed,
      int unsupported,
      Comparison worst) {
    /// {@return how many checks there are}
    public int cases() {
      return passed + failed + unsupported;
    }

    /// {@return operation and storage, such as `matmul BF16` or `convert BF16+F16`}
    public String name() {
      return operation + " " + text(storage);
    }

    private Row plus(Outcome o) {
      return new Row(
          operation,
          storage,
          made,
          passed + (o.status() == Outcome.Status.PASSED ? 1 : 0),
          failed + (o.status() == Outcome.Status.FAILED ? 1 : 0),
          unsupported + (o.status() == Outcome.Status.UNSUPPORTED ? 1 : 0),
          worst.worse(o.worst()));
    }
  }

  /// {@return storages in one word, such as `BF16+F16`}
  ///
  /// @param storage a [Check#storage]
  public static String text(List<DType> storage) {
    return storage.stream().map(DType::name).collect(Collectors.joining("+"));
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

  /// {@return a row for each operation and storage: operations in the order of the checks, F32
  /// before what is narrower}
  public List<Row> rows() {
    Map<String, Map<List<DType>, Row>> rows = new LinkedHashMap<>();
    for (Outcome o : outcomes) {
      String op = Check.group(o.check());
      rows.computeIfAbsent(op, k -> new LinkedHashMap<>())
          .merge(
              o.storage(),
              new Row(op, o.storage(), made(op), 0, 0, 0, Comparison.NONE).plus(o),
              (row, one) -> row.plus(o));
    }
    List<Row> out = new ArrayList<>();
    Comparator<Row> byStorage =
        Comparator.comparing((Row r) -> r.storage().getFirst())
            .thenComparingInt(r -> r.storage().size());
    rows.values().forEach(same -> same.values().stream().sorted(byStorage).forEach(out::add));
    return out;
  }

  /// {@return one line a row: whether the backend has its own or the default composition, how many
  /// cases passed, failed and are not supported, and the largest error as a share of what is
  /// allowed}
  public String supportTable() {
    StringBuilder out = new StringBuilder();
    out.append(
        "%-30s%-9s%8s%8s%13s%8s%n"
            .formatted("operation", "made", "passed", "failed", "unsupported", "error"));
    for (Row r : rows()) {
      out.append(
          String.format(
              Locale.ROOT,
              "%-30s%-9s%8d%8d%13d%7.0f%%%n",
              r.name(),
              r.made(),
              r.passed(),
              r.failed(),
              r.unsupported(),
              100 * r.worst().ratio()));
    }
    return out.toString();
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
