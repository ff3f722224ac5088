package org.quern.bench;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Precision;
import org.quern.core.Settings;

/// What a backend can do, as far as it decides which combinations are measured.
public final class Machine {
  private final String backend;
  private final String device;
  private final boolean cpu;
  private final boolean ladder;
  private final Map<Precision, Boolean> precisions = new ConcurrentHashMap<>();

  private Machine(String backend, Backend opened) {
    this.backend = backend;
    this.device = opened.device().name();
    this.cpu = opened.device().backend().equals("cpu");
    this.ladder = !AttentionLadder.rungs(opened).isEmpty();
  }

  /// {@return what is there}
  ///
  /// @param backend name and device
  /// @throws IllegalArgumentException if it cannot run here, with the reason and a remedy
  static Machine of(String backend) {
    try (Backend device =
        Backends.open(Settings.load().withBackend(backend).withPrecision(Precision.F32))) {
      return new Machine(backend, device);
    }
  }

  /// {@return name and device as they were asked for}
  public String backend() {
    return backend;
  }

  /// {@return whether it is the processor, whose own limits can be measured}
  public boolean isCpu() {
    return cpu;
  }

  /// {@return the device's own name}
  public String device() {
    return device;
  }

  /// {@return whether the teaching kernels run there}
  public boolean hasLadder() {
    return ladder;
  }

  /// {@return whether weights can be held like that}
  ///
  /// @param precision of prepared weights
  public boolean offers(Precision precision) {
    return precisions.computeIfAbsent(precision, this::open);
  }

  private boolean open(Precision precision) {
    Settings settings = Settings.load().withBackend(backend).withPrecision(precision);
    try (Backend device = Backends.open(settings)) {
      return !device.device().name().isEmpty();
    } catch (IllegalArgumentException e) {
      return false; // refused by its own message
    }
  }
}
