package org.quern.core;

/// A piece of a device's memory, made and understood by one backend only. Handing it to another
/// backend is an `IllegalArgumentException` there.
public interface Buffer {
  /// {@return the size in bytes}
  long bytes();
}
