package org.quern.cli;

import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.quern.core.DeviceInfo;
import org.quern.tck.Ceilings;
import org.quern.tck.Comparison;
import org.quern.tck.Report;
import org.quern.tck.Speed;

/// What `quern verify` prints for people, 80 columns wide.
final class VerifyTable {
  private static final int WIDTH = 80;
  private static final int MOST_FAILURES = 20;
  private static final String ROW = "%-32s%6s%10s%10s   %s%n";
  private static final String CALL = "  %-30s%9s%8s%10s %6s %s%n";

  private final PrintWriter out;
  private final Verification v;

  /// @param out takes the table
  /// @param v what was found
  VerifyTable(PrintWriter out, Verification v) {
    this.out = out;
    this.v = v;
  }

  void print() {
    device();
    legend();
    for (Report.Row row : v.report().rows()) {
      print(row);
      v.calls(row).forEach(this::print);
    }
    out.println();
    failures();
    out.flush();
  }

  private void device() {
    DeviceInfo d = v.device();
    out.printf("%-9s%s%n", d.backend() + ":" + d.index(), d.name());
    for (Map.Entry<String, String> e : d.details().entrySet()) {
      wrapped("         ", e.getKey() + ": " + e.getValue());
    }
    Ceilings c = v.ceilings();
    if (c != null) {
      out.printf(
          Locale.ROOT,
          "copy     %.1f GB/s read and written, by a copy of %s%n",
          c.copyRate() * 1e-9,
          Text.bytes(c.copyBytes()));
      out.printf(
          Locale.ROOT,
          "matmul   %.1f GFLOP/s, the best of square F32 products, n = %d%n",
          c.matmulRate() * 1e-9,
          c.matmulSize());
    }
    out.println();
  }

  private void legend() {
    wrapped(
        "",
        "error: the largest difference from float64, of the case that is nearest to what is"
            + " allowed: twice the error of plain loops in that storage, plus rounding.");
    if (v.ceilings() != null) {
      wrapped(
          "",
          "share: the time that the copy or the matmul above takes for as many bytes or operations,"
              + " whichever is longer, of the call's time. Above 100 %: data stayed in a cache, or"
              + " the call writes less of its bytes than a copy.");
    }
    out.println();
    out.printf(ROW, "operation", "cases", "error", "allowed", "result");
    if (v.ceilings() != null) {
      out.printf(CALL, "call", "time", "GB/s", "GFLOP/s", "share", "of");
    }
    out.println("-".repeat(WIDTH));
  }

  private void print(Report.Row row) {
    Comparison c = row.worst();
    boolean compared = !c.output().isEmpty();
    out.printf(
        ROW,
        row.name(),
        row.cases(),
        compared ? error(c.error()) : "-",
        compared ? error(c.allowed()) : "-",
        result(row));
  }

  private static String error(double x) {
    if (x == 0) {
      return "0";
    }
    return Double.isInfinite(x) ? "infinite" : String.format(Locale.ROOT, "%.1e", x);
  }

  private static String result(Report.Row row) {
    if (row.failed() > 0) {
      return row.failed() + " FAILED";
    }
    if (row.passed() == 0) {
      return "unsupported";
    }
    return row.unsupported() == 0 ? "pass" : "pass, %d unsupported".formatted(row.unsupported());
  }

  private void print(Verification.Call call) {
    Speed s = call.speed();
    Ceilings c = v.ceilings();
    if (s == null || c == null) {
      out.printf(
          "  %-30s  %s%n",
          call.timed().label(), call.failed().isEmpty() ? "skipped: " + call.skipped() : "FAILED");
      return;
    }
    out.printf(
        CALL,
        call.timed().label(),
        Text.seconds(s.seconds()),
        Text.rate(s.gigabytes()),
        s.flops() == 0 ? "-" : Text.rate(s.gigaflops()),
        String.format(Locale.ROOT, "%.0f %%", 100 * c.share(s)),
        c.bound(s).name().toLowerCase(Locale.ROOT));
  }

  private void failures() {
    List<Verification.Failure> failures = v.failures();
    int all = v.report().outcomes().size();
    if (failures.isEmpty()) {
      long unsupported = v.report().rows().stream().mapToInt(Report.Row::unsupported).sum();
      out.printf(
          "All %d checks passed%s.%n",
          all - unsupported,
          unsupported == 0
              ? ""
              : "; %d that a backend may lack are unsupported".formatted(unsupported));
      return;
    }
    out.printf("%d FAILED, of %d checks and %d calls:%n", failures.size(), all, v.calls().size());
    for (Verification.Failure f : failures.subList(0, Math.min(MOST_FAILURES, failures.size()))) {
      wrapped("  ", f.what());
      wrapped("      ", f.message());
    }
    if (failures.size() > MOST_FAILURES) {
      out.printf("  ... and %d more%n", failures.size() - MOST_FAILURES);
    }
  }

  private void wrapped(String indent, String text) {
    Text.wrap(text, WIDTH - indent.length()).forEach(line -> out.println(indent + line));
  }
}
