package org.quern.cli;

import java.util.function.Consumer;
import org.quern.core.Backend;
import org.quern.core.DeviceException;
import org.quern.core.OutOfDeviceMemoryException;
import org.quern.tck.OpCase;
import org.quern.tck.Speed;

/// Times calls one after the other. A call that the device has no room for, or does not offer, is
/// told in its row; one that fails otherwise is noted as trouble too.
final class DayTimer {
  private final DayReport report;
  private final Consumer<String> progress;

  /// @param report takes what goes wrong
  /// @param progress hears of each call before it is made; may throw [Stopped]
  DayTimer(DayReport report, Consumer<String> progress) {
    this.report = report;
    this.progress = progress;
  }

  /// The user wants to stop.
  static final class Stopped extends RuntimeException {
    private static final long serialVersionUID = 1;

    Stopped() {
      super("stopped", null, false, false);
    }
  }

  /// Tells what comes next.
  void next(String what) {
    progress.accept(what);
  }

  /// Times a call.
  ///
  /// @param backend where
  /// @param call what
  /// @param done takes its speed
  /// @param missed takes the reason if there is none
  void time(Backend backend, OpCase call, Consumer<Speed> done, Consumer<String> missed) {
    next(call.name());
    try {
      done.accept(Speed.measure(backend, call));
    } catch (OutOfDeviceMemoryException e) {
      missed.accept("out of memory");
    } catch (UnsupportedOperationException | IllegalArgumentException e) {
      missed.accept("not offered");
    } catch (DeviceException e) {
      missed.accept("failed");
      report.trouble(call.name() + ": " + e.getMessage());
    }
  }
}
