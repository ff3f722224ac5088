package org.quern.core;

import java.util.List;
import java.util.function.Consumer;

/// Finds and opens a backend's devices; found with `ServiceLoader`.
public interface BackendProvider {
  /// {@return the name that selects it, such as `cpu`}
  String name();

  /// {@return how much `auto` prefers it; the highest ready one wins}
  int priority();

  /// {@return whether this machine can run it; never throws}
  Availability probe();

  /// {@return the backend on one of its devices}
  ///
  /// @param device from 0
  /// @param settings how
  /// @throws IllegalArgumentException if there is no such device
  Backend open(int device, Settings settings);

  /// Measures which settings of its kernels are the fastest on a device, and keeps them for later
  /// runs on this machine.
  ///
  /// @param device from 0
  /// @param settings how to open it
  /// @param progress hears a line for each thing measured
  /// @return what was found and where it is kept, a line each
  /// @throws UnsupportedOperationException if there is nothing to tune
  default List<String> tune(int device, Settings settings, Consumer<String> progress) {
    throw new UnsupportedOperationException(
        "backend '%s' has nothing to tune: it adapts by itself".formatted(name()));
  }
}
