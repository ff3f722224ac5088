package org.quern.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import org.quern.core.Availability;
import org.quern.core.Backends;
import org.quern.core.DeviceInfo;
import org.quern.core.Settings;
import picocli.CommandLine.Command;

/// `quern tune`.
@Command(
    name = "tune",
    description = {
      "Finds the fastest sizes of a device's kernels, and keeps them.",
      "Without --backend: on every device that can be tuned."
    })
final class TuneCommand extends BaseCommand {
  @Override
  public Integer call() {
    return tune(Backends.probe(), settings(), out(), err());
  }

  /// {@return the exit code}
  ///
  /// @param found the backends
  /// @param settings name one, or `auto` for all
  /// @param out takes what was found
  /// @param err takes progress
  /// @throws UnsupportedOperationException if the one that is named has nothing to tune
  static int tune(List<Backends.Found> found, Settings settings, PrintWriter out, PrintWriter err) {
    if (!settings.backend().equals("auto")) {
      tune(Backends.choose(found, settings.backend()), settings, out, err);
      return 0;
    }
    int code = 0;
    int tuned = 0;
    List<String> reasons = new ArrayList<>();
    for (Backends.Choice c : ready(found)) {
      try {
        tune(c, settings, out, err);
        tuned++;
      } catch (UnsupportedOperationException e) {
        reasons.add(String.valueOf(e.getMessage()));
      } catch (RuntimeException e) {
        err.println("quern: %s cannot be tuned: %s".formatted(name(c.device()), e.getMessage()));
        code = Failures.FAILED;
      }
    }
    if (tuned == 0 && code == 0) {
      out.println("nothing to tune here:");
      reasons.stream().distinct().forEach(r -> out.println("  " + r));
    }
    out.flush();
    err.flush();
    return code;
  }

  private static List<Backends.Choice> ready(List<Backends.Found> found) {
    List<Backends.Choice> out = new ArrayList<>();
    for (Backends.Found f : found) {
      if (f.availability() instanceof Availability.Ready ready) {
        ready.devices().forEach(d -> out.add(new Backends.Choice(f.provider(), d)));
      }
    }
    return out;
  }

  private static void tune(
      Backends.Choice choice, Settings settings, PrintWriter out, PrintWriter err) {
    DeviceInfo device = choice.device();
    List<String> result =
        choice
            .provider()
            .tune(
                device.index(),
                settings,
                line -> {
                  err.println(line);
                  err.flush();
                });
    out.println(name(device) + "  " + device.name());
    result.forEach(line -> out.println("  " + line));
    out.flush();
  }

  private static String name(DeviceInfo d) {
    return d.backend() + ":" + d.index();
  }
}
