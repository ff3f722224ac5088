package org.quern.cuda;

import java.util.List;
import org.quern.core.Availability;

/// Probes twice and prints the answers: what tests run in another JVM.
final class ProbeRun {
  /// The argument for a `quern.cache` that no command line can give.
  static final String CACHE_WITHOUT_PATH = "cache-without-path";

  private ProbeRun() {}

  /// Takes no arguments, or [#CACHE_WITHOUT_PATH].
  public static void main(String[] args) {
    if (List.of(args).contains(CACHE_WITHOUT_PATH)) {
      System.setProperty("quern.cache", "\0");
    }
    CudaProvider provider = new CudaProvider();
    for (int i = 0; i < 2; i++) {
      switch (provider.probe()) {
        case Availability.Missing m -> System.out.printf("%s | %s%n", m.reason(), m.remedy());
        case Availability.Ready r -> System.out.println("ready: " + r.devices());
      }
    }
  }
}
