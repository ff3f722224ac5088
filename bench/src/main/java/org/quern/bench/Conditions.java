package org.quern.bench;

import java.lang.management.ManagementFactory;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Collectors;
import org.quern.core.Settings;

/// What a figure depends on beside the code.
///
/// @param facts by name, in order
public record Conditions(Map<String, String> facts) {
  /// {@return threads that call a CPU benchmark of the machine itself, from 1}
  static int callers(OptionalInt threads) {
    int n = threads.orElse(Settings.load().threads());
    return n == 0 ? Runtime.getRuntime().availableProcessors() : n;
  }

  /// {@return what is so now}
  static Conditions of(List<Machine> machines, Effort effort, OptionalInt threads, int skipped) {
    Map<String, String> out = new LinkedHashMap<>();
    out.put("time", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
    out.put(
        "devices",
        machines.stream()
            .map(m -> m.backend() + ": " + m.device())
            .collect(Collectors.joining("; ")));
    out.put("CPU threads", Integer.toString(callers(threads)));
    out.put("Java", System.getProperty("java.vm.name") + " " + Runtime.version());
    out.put(
        "load of the machine at the end, last minute",
        String.format(
            Locale.ROOT,
            "%.1f on %d processors",
            ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
            Runtime.getRuntime().availableProcessors()));
    out.put(
        "effort",
        switch (effort) {
          case TOY -> "toy: the numbers say nothing";
          case QUICK -> "quick: a look, not a measurement";
          case WHOLE -> "whole";
        });
    if (skipped > 0) {
      out.put(
          "left out",
          skipped + " combinations: not offered there, or too large or slow to measure");
    }
    return new Conditions(out);
  }
}
