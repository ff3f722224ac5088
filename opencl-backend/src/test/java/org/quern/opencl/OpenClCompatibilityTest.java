package org.quern.opencl;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.quern.core.Availability;
import org.quern.core.Backend;
import org.quern.core.Settings;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Tuning;
import org.quern.tck.BackendCompatibility;

/// The compatibility kit, whole, for both shapes of the kernels: one item with wide vectors a
/// group, as a CPU likes it, and many with narrow ones, as a GPU does.
class OpenClCompatibilityTest {
  abstract static class OnDevice extends BackendCompatibility {
    @Override
    protected Availability.@Nullable Missing missing() {
      return new OpenClProvider().probe() instanceof Availability.Missing m ? m : null;
    }
  }

  @Nested
  class Wide extends OnDevice {
    @Override
    protected Backend open() {
      return OpenClProvider.open(0, settings(), Tuning.cpu(16));
    }
  }

  @Nested
  class Narrow extends OnDevice {
    @Override
    protected Backend open() {
      return OpenClProvider.open(0, settings(), Tuning.gpu());
    }
  }

  /// Little local memory, small groups: smaller tiles, online softmax, and compositions where no
  /// tile fits.
  @Nested
  class Small extends OnDevice {
    @Override
    protected Backend open() {
      OpenClAccelerator whole = OpenClProvider.openAccelerator(0, settings());
      SmallDevice small = SmallDevice.of(whole, 6 << 10, 16, 1 << 26);
      return new DeviceBackend(small, settings(), Tuning.gpu());
    }
  }

  private static Settings settings() {
    return Settings.load().withDebug(true);
  }
}
