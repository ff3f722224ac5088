package org.quern.core;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a backend's probe found.
public sealed interface Availability {
  /// The backend can run.
  ///
  /// @param devices on these; at least one
  record Ready(List<DeviceInfo> devices) implements Availability {
    /// Copies the list.
    public Ready {
      devices = List.copyOf(devices);
    }
  }

  /// The backend cannot run here.
  ///
  /// @param reason what was looked for and not found, one line
  /// @param remedy what the user can do, one line
  /// @param cause what was thrown on the way, or null
  record Missing(String reason, String remedy, @Nullable Throwable cause) implements Availability {}
}
