package org.quern.opencl;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.quern.core.Backend;
import org.quern.core.KernelTime;
import org.quern.core.Settings;
import org.quern.kernels.Catalogue;
import org.quern.kernels.KernelSpec;
import org.quern.kernels.Tuning;
import org.quern.tck.Check;
import org.quern.tck.Kit;
import org.quern.tck.OpCase;
import org.quern.tck.Outcome;

/// Runs the small cases of the compatibility kit, and fails where one fails or a kernel of the
/// catalogue was not launched: what [OclgrindSweepTest] runs in another JVM.
final class SweepRun {
  /// A simulator takes seconds for more.
  private static final double MOST_FLOPS = 1e5;

  private SweepRun() {}

  /// Runs the cases whose operation is among the arguments, or all.
  public static void main(String[] args) {
    List<String> failures = new ArrayList<>();
    Set<String> missing = new TreeSet<>();
    Catalogue.all().stream().map(KernelSpec::entry).forEach(missing::add);
    int count = 0;
    Settings settings = Settings.load().withProfile(true);
    try (Backend backend = OpenClProvider.open(0, settings, Tuning.gpu())) {
      for (Check check : Kit.checks()) {
        if (wanted(check, args)) {
          count++;
          Outcome outcome = Kit.run(backend, check);
          if (outcome.status() == Outcome.Status.FAILED) {
            failures.add(outcome.check() + ": " + outcome.message());
          }
        }
      }
      backend.kernelTimes().stream().map(KernelTime::kernel).forEach(missing::remove);
    }
    System.out.println(count + " cases");
    if (!failures.isEmpty() || args.length == 0 && !missing.isEmpty()) {
      throw new AssertionError("failed: " + failures + ", never launched: " + missing);
    }
  }

  private static boolean wanted(Check check, String... operations) {
    return check instanceof OpCase c
        && c.flops() <= MOST_FLOPS
        && (operations.length == 0 || List.of(operations).contains(c.op()));
  }
}
