package org.quern.cuda;

import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Counts what the driver and the libraries hold for an accelerator, and for all of them together,
/// so that tests can tell that nothing is left behind.
final class Resources {
  /// What is held.
  enum Kind {
    /// A hold on a device's primary context.
    CONTEXT,
    /// A stream.
    STREAM,
    /// Memory of the device.
    MEMORY,
    /// Memory of the host that the device may read and write by itself.
    PINNED,
    /// A module: a kernel in the device's code.
    MODULE,
    /// An event.
    EVENT,
    /// A graph that can be launched.
    GRAPH,
    /// A handle of cuBLAS.
    CUBLAS
  }

  private static final Resources ALL = new Resources(null);

  private final @Nullable Resources sum;
  private final Map<Kind, Integer> counts = new EnumMap<>(Kind.class);

  /// For one accelerator.
  Resources() {
    this(ALL);
  }

  private Resources(@Nullable Resources sum) {
    this.sum = sum;
  }

  /// {@return the counts of the whole process}
  static Resources all() {
    return ALL;
  }

  /// Notes a new one.
  void made(Kind kind) {
    add(kind, 1);
  }

  /// Notes that one was given back.
  void released(Kind kind) {
    add(kind, -1);
  }

  private void add(Kind kind, int n) {
    synchronized (counts) {
      counts.merge(kind, n, Integer::sum);
    }
    if (sum != null) {
      sum.add(kind, n);
    }
  }

  /// {@return how many there are of each kind; kinds without any are left out}
  Map<Kind, Integer> live() {
    synchronized (counts) {
      Map<Kind, Integer> out = new EnumMap<>(counts);
      out.values().removeIf(n -> n == 0);
      return out;
    }
  }
}
