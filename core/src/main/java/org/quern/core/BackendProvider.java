package org.quern.core;

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
}
