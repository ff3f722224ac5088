package org.quern.kernels;

import org.quern.core.Buffer;

/// What the operations of an opened device work with. [DeviceBackend] makes it; a backend that
/// overrides operations hands it on to [DeviceOps].
public final class DeviceContext {
  private final Launcher launcher;
  private final DeviceLimits limits;
  private final Tuning tuning;
  private final Buffer workspace;

  DeviceContext(Launcher launcher, DeviceLimits limits, Tuning tuning, Buffer workspace) {
    this.launcher = launcher;
    this.limits = limits;
    this.tuning = tuning.fit(limits);
    this.workspace = workspace;
  }

  Launcher launcher() {
    return launcher;
  }

  /// {@return what the device can take}
  public DeviceLimits limits() {
    return limits;
  }

  /// {@return sizes of the kernels, within the limits}
  public Tuning tuning() {
    return tuning;
  }

  /// {@return [DeviceOps#WORKSPACE] bytes}
  Buffer workspace() {
    return workspace;
  }

  DeviceContext with(Tuning other) {
    return new DeviceContext(launcher, limits, other, workspace);
  }
}
