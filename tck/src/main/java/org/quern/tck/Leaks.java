package org.quern.tck;

import java.util.List;
import org.quern.core.Backend;

/// Looks for device memory that nobody gave back.
public final class Leaks {
  private Leaks() {}

  /// Fails when a scope is open, or a tensor in use.
  ///
  /// @param backend at the end of a test; models and sessions are closed
  /// @throws AssertionError naming the scopes
  public static void assertNone(Backend backend) {
    List<String> open = backend.pool().leaks();
    long bytes = backend.pool().stats().inUse();
    if (!open.isEmpty() || bytes != 0) {
      throw new AssertionError(
          "%d bytes of %s are in use; open scopes: %s"
              .formatted(bytes, backend.device().name(), open));
    }
  }
}
