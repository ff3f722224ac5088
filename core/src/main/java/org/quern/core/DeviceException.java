package org.quern.core;

import org.jspecify.annotations.Nullable;

/// A driver or device failed. The message names the call, the code and the device.
public final class DeviceException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /// What a failure means for the device.
  public enum Effect {
    /// This call failed; the device goes on.
    CALL_FAILED,
    /// The driver found no memory for what was allocated before; the device goes on.
    OUT_OF_MEMORY,
    /// The device is gone, and what was in its memory with it.
    DEVICE_LOST
  }

  /// What the failure means.
  private final Effect effect;

  /// For backends: this call failed.
  ///
  /// @param message the call, the code's name, the device, the build log
  /// @param cause what the driver threw, or null
  public DeviceException(String message, @Nullable Throwable cause) {
    this(message, cause, Effect.CALL_FAILED);
  }

  /// For backends.
  ///
  /// @param message the call, the code's name, the device, the build log
  /// @param cause what the driver threw, or null
  /// @param effect what it means for the device
  public DeviceException(String message, @Nullable Throwable cause, Effect effect) {
    super(message, cause);
    this.effect = effect;
  }

  /// {@return what the failure means for the device}
  public Effect effect() {
    return effect;
  }
}
