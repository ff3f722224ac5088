package org.quern.opencl;

import org.quern.core.DeviceInfo;
import org.quern.kernels.DeviceLimits;

/// A device that the probe found usable.
///
/// @param platform its `cl_platform_id`
/// @param id its `cl_device_id`
/// @param info what users see
/// @param limits what kernels must fit
/// @param identity what a compiled program depends on: device, vendor and versions
record OpenClDevice(long platform, long id, DeviceInfo info, DeviceLimits limits, String identity) {
  /// {@return its name, for messages}
  String name() {
    return info.name();
  }
}
