package org.quern.core;

/// Device memory ran out, after what was kept for reuse had been given back. The message says what
/// was asked for, what is in use and by which scopes, and what to change.
public final class OutOfDeviceMemoryException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// The bytes that were asked for.
  private final long requested;

  OutOfDeviceMemoryException(String message, long requested) {
    super(message);
    this.requested = requested;
  }

  /// {@return the bytes that were asked for}
  public long requested() {
    return requested;
  }
}
