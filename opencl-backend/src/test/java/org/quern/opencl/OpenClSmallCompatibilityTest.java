package org.quern.opencl;

import org.quern.core.Backend;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Tuning;

/// Little local memory, small groups: smaller tiles, online softmax, and compositions where no tile
/// fits.
class OpenClSmallCompatibilityTest extends OpenClCompatibility {
  @Override
  protected Backend open() {
    OpenClAccelerator whole = OpenClProvider.openAccelerator(0, settings());
    SmallDevice small = SmallDevice.of(whole, 6 << 10, 16, 1 << 26);
    return new DeviceBackend(small, settings(), Tuning.gpu());
  }
}
