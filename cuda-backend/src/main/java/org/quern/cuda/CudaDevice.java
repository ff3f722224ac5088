package org.quern.cuda;

import org.quern.core.DeviceInfo;
import org.quern.kernels.DeviceLimits;

/// A device that the probe found usable.
///
/// @param ordinal the driver's number for it
/// @param info what users see
/// @param limits what kernels must fit
/// @param capability its compute capability, such as 86 for 8.6
/// @param memory how its memory is given out
/// @param driver the driver's version, such as 12060
record CudaDevice(
    int ordinal, DeviceInfo info, DeviceLimits limits, int capability, Memory memory, int driver) {
  /// How a driver gives memory out.
  enum Memory {
    /// In the order of a stream: freeing waits for nothing.
    STREAM_ORDERED,
    /// At once: freeing waits for all that uses it.
    IMMEDIATE
  }

  /// {@return its name, for messages}
  String name() {
    return info.name();
  }

  /// {@return all that a compiled kernel and the sizes that are the fastest depend on}
  String identity() {
    return "%s\n%d\n%d".formatted(name(), capability, driver);
  }
}
