package org.quern.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.DeviceException;
import org.quern.core.DeviceInfo;
import org.quern.core.OutOfDeviceMemoryException;
import org.quern.tck.Ceilings;
import org.quern.tck.Check;
import org.quern.tck.Kit;
import org.quern.tck.OpCase;
import org.quern.tck.Outcome;
import org.quern.tck.Report;
import org.quern.tck.Speed;

/// What `quern verify` found on a device.
///
/// @param device where
/// @param report how its results compare with float64
/// @param ceilings how fast it can be; null when speed was not asked for
/// @param calls how fast it is
record Verification(
    DeviceInfo device, Report report, @Nullable Ceilings ceilings, List<Call> calls) {
  /// How fast one call is.
  ///
  /// @param timed what was called
  /// @param speed null when it could not be measured
  /// @param skipped why it was not measured, though nothing is wrong; else empty
  /// @param failed what went wrong; else empty
  record Call(OpCase timed, @Nullable Speed speed, String skipped, String failed) {}

  /// Something that is not as it should be.
  ///
  /// @param what the check or call
  /// @param message what is wrong
  record Failure(String what, String message) {}

  /// Hears of each step before it is taken.
  @FunctionalInterface
  interface Watcher {
    /// {@return whether to go on}
    ///
    /// @param done how many steps were taken
    /// @param what the next one
    boolean next(int done, String what);
  }

  /// {@return how many steps a run has}
  static int steps(List<? extends Check> checks, List<OpCase> calls) {
    return checks.size() + (calls.isEmpty() ? 0 : 1) + calls.size();
  }

  /// {@return what was found, or null when the watcher said stop}
  ///
  /// @param backend nobody else may use it meanwhile
  /// @param checks some or all of [Kit#checks]
  /// @param calls what to time; may be empty
  /// @param watcher hears of progress
  static @Nullable Verification run(
      Backend backend, List<? extends Check> checks, List<OpCase> calls, Watcher watcher) {
    int done = 0;
    List<Outcome> outcomes = new ArrayList<>();
    for (Check c : checks) {
      if (!watcher.next(done++, Check.group(c.name()))) {
        return null;
      }
      outcomes.add(Kit.run(backend, c));
    }
    Report report = new Report(backend, outcomes);
    List<Call> timed = new ArrayList<>();
    if (calls.isEmpty()) {
      return new Verification(backend.device(), report, null, timed);
    }
    if (!watcher.next(done++, "ceilings")) {
      return null;
    }
    Ceilings ceilings = Ceilings.measure(backend);
    for (OpCase c : calls) {
      if (!watcher.next(done++, "speed of " + c.op())) {
        return null;
      }
      timed.add(time(backend, c));
    }
    return new Verification(backend.device(), report, ceilings, timed);
  }

  private static Call time(Backend backend, OpCase c) {
    try {
      return new Call(c, Speed.measure(backend, c), "", "");
    } catch (OutOfDeviceMemoryException e) {
      return new Call(c, null, "no memory for another " + Text.bytes(e.requested()), "");
    } catch (UnsupportedOperationException | IllegalArgumentException e) {
      return new Call(c, null, "unsupported", "");
    } catch (DeviceException e) {
      return e.effect() == DeviceException.Effect.OUT_OF_MEMORY
          ? new Call(c, null, "the driver found no memory", "")
          : new Call(c, null, "", e.toString());
    } catch (RuntimeException e) {
      return new Call(c, null, "", e.toString());
    }
  }

  /// {@return the calls that belong to a row}
  List<Call> calls(Report.Row row) {
    return calls.stream()
        .filter(c -> c.timed().op().equals(row.operation()))
        .filter(c -> c.timed().storage().equals(row.storage()))
        .toList();
  }

  /// {@return all that is not as it should be}
  List<Failure> failures() {
    List<Failure> out = new ArrayList<>();
    report.failures().forEach(o -> out.add(new Failure(o.check(), o.message())));
    for (Call c : calls) {
      if (!c.failed().isEmpty()) {
        out.add(new Failure("speed of " + c.timed().name(), c.failed()));
      }
    }
    return out;
  }
}
