package org.quern.opencl;

import org.quern.core.Availability;

/// Probes twice and prints the answers: what [MissingOpenClTest] runs in another JVM.
final class ProbeRun {
  private ProbeRun() {}

  /// Takes no arguments.
  public static void main(String[] args) {
    OpenClProvider provider = new OpenClProvider();
    for (int i = 0; i < 2; i++) {
      switch (provider.probe()) {
        case Availability.Missing m ->
            System.out.printf("%d %s | %s%n", provider.priority(), m.reason(), m.remedy());
        case Availability.Ready r -> System.out.println("ready: " + r.devices());
      }
    }
  }
}
