package org.quern.core;

import org.jspecify.annotations.Nullable;

/// A driver or device failed. The message names the call, the code and the device.
public final class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// For backends.
  ///
  /// @param message the call, the code's name, the device, the build log
  /// @param cause what the driver threw, or null
  public DeviceException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
