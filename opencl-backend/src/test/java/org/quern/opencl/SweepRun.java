package org.quern.opencl;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.quern.core.KernelTime;
import org.quern.core.Settings;
import org.quern.kernels.Catalogue;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.KernelSpec;
import org.quern.kernels.Tuning;
import org.quern.kernels.Tuning.Tile;
import org.quern.tck.Check;
import org.quern.tck.Kit;
import org.quern.tck.OpCase;
import org.quern.tck.Outcome;

/// Runs small cases of the compatibility kit, and fails where one fails or a kernel of the
/// catalogue was not launched: what [OclgrindSweepTest] runs in another JVM.
final class SweepRun {
  /// A simulator takes seconds for more.
  private static final double MOST_FLOPS = 2e4;

  /// Cases of an operation, spread over its list.
  private static final int MOST_CASES = 8;

  /// Small groups that still share rows, columns and tiles among several items: the same barriers
  /// as a GPU's, for a tenth of the simulator's time.
  private static final Tuning NARROW =
      new Tuning(4, 32, 8, new Tile(2, 4, 2, 1, 2, 8), new Tile(4, 2, 2, 1, 1, 1));

  /// Several blocks of rows an item, and wider vectors.
  private static final Tuning WIDE =
      new Tuning(8, 8, 2, new Tile(2, 1, 2, 2, 1, 8), new Tile(1, 2, 2, 2, 1, 1));

  private SweepRun() {}

  /// Runs the cases whose operation is among the arguments, or of all operations.
  public static void main(String[] args) {
    Map<String, List<OpCase>> byOperation = new LinkedHashMap<>();
    for (Check check : Kit.checks()) {
      if (check instanceof OpCase c
          && c.flops() <= MOST_FLOPS
          && (args.length == 0 || List.of(args).contains(c.op()))) {
        byOperation.computeIfAbsent(c.op(), k -> new ArrayList<>()).add(c);
      }
    }
    List<OpCase> chosen = new ArrayList<>();
    byOperation.values().forEach(all -> chosen.addAll(spread(all)));
    List<String> failures = new ArrayList<>();
    Set<String> missing = new TreeSet<>();
    Catalogue.all().stream().map(KernelSpec::entry).forEach(missing::add);
    run(open(NARROW), chosen, failures, missing);
    run(open(WIDE), chosen, failures, missing);
    run(withoutLocalMemory(), softmax(chosen), failures, missing);
    if (args.length == 0 && !missing.isEmpty()) {
      failures.add("never launched: " + missing);
    }
    System.out.println(chosen.size() + " cases");
    if (!failures.isEmpty()) {
      throw new AssertionError("failed: " + failures);
    }
  }

  private static List<OpCase> spread(List<OpCase> all) {
    List<OpCase> out = new ArrayList<>();
    int count = Math.min(all.size(), MOST_CASES);
    for (int i = 0; i < count; i++) {
      out.add(all.get((int) ((long) i * all.size() / count)));
    }
    return out;
  }

  private static List<OpCase> softmax(List<OpCase> all) {
    return all.stream().filter(c -> c.op().startsWith("maskedSoftmax")).toList();
  }

  private static DeviceBackend open(Tuning tuning) {
    return OpenClProvider.open(0, settings(), tuning);
  }

  private static Settings settings() {
    return Settings.load().withProfile(true);
  }

  /// {@return a device where no row fits local memory}
  private static DeviceBackend withoutLocalMemory() {
    OpenClAccelerator whole = OpenClProvider.openAccelerator(0, settings());
    SmallDevice small = SmallDevice.of(whole, 900, 64, 1 << 28);
    return new DeviceBackend(small, settings(), NARROW);
  }

  private static void run(
      DeviceBackend opened, List<OpCase> cases, List<String> failures, Set<String> missing) {
    try (DeviceBackend backend = opened) {
      for (OpCase c : cases) {
        Outcome outcome = Kit.run(backend, c);
        if (outcome.status() == Outcome.Status.FAILED) {
          failures.add(outcome.check() + ": " + outcome.message());
        }
      }
      QuantizedWeights.check(backend, 3, 37, 5);
      backend.kernelTimes().stream().map(KernelTime::kernel).forEach(missing::remove);
    }
  }
}
