package org.quern.cuda;

import java.util.List;
import org.quern.core.Availability;
import org.quern.core.Settings;
import org.quern.cuda.Emulator.Fact;

/// Probes twice and prints the answers: what tests run in another JVM.
final class ProbeRun {
  /// For a `quern.cache` that no command line can give.
  static final String CACHE_WITHOUT_PATH = "cache-without-path";

  /// For a JVM that is not told where temporary files go.
  static final String NO_TEMPORARY_FOLDER = "no-temporary-folder";

  /// For a driver that starts, and counts no devices then.
  static final String COUNTS_NONE = "counts-none";

  /// To open a device, and print why that does not go.
  static final String OPEN = "open";

  private static final String FAIL = "fail=";

  private ProbeRun() {}

  /// {@return the argument for a driver of which one function always answers a code}
  static String failing(String function, int code) {
    return FAIL + function + "=" + code;
  }

  /// Takes the arguments above.
  public static void main(String[] args) {
    List<String> arguments = List.of(args);
    if (arguments.contains(CACHE_WITHOUT_PATH)) {
      System.setProperty("quern.cache", "\0");
    }
    if (arguments.contains(NO_TEMPORARY_FOLDER)) {
      System.clearProperty("java.io.tmpdir");
    }
    for (String a : arguments) {
      if (a.startsWith(FAIL)) {
        String[] parts = a.split("=", -1);
        Emulator.load().fail(parts[1], 1, Integer.parseInt(parts[2]), 0);
      }
    }
    if (arguments.contains(COUNTS_NONE)) {
      Emulator emulator = Emulator.load();
      Libraries.driver();
      emulator.set(Fact.DEVICES, 0);
    }
    CudaProvider provider = new CudaProvider();
    for (int i = 0; i < 2; i++) {
      switch (provider.probe()) {
        case Availability.Missing m -> System.out.printf("%s | %s%n", m.reason(), m.remedy());
        case Availability.Ready r -> System.out.println("ready: " + r.devices());
      }
    }
    if (arguments.contains(OPEN)) {
      try {
        provider.open(0, Settings.load()).close();
      } catch (IllegalArgumentException e) {
        System.out.println(e.getMessage());
      }
    }
  }
}
