package org.quern.opencl;

import org.quern.core.Availability;
import org.quern.core.Settings;
import org.quern.tck.BackendCompatibility;

/// Opens a device for a test. Where OpenCL is missing the test is skipped, with the probe's reason;
/// where the environment says `CI=true` it fails.
final class Present {
  private Present() {}

  /// {@return the first device, for the caller to close}
  static OpenClAccelerator open() {
    return open(Settings.load().withProfile(false));
  }

  /// {@return the first device, for the caller to close}
  ///
  /// @param settings how
  static OpenClAccelerator open(Settings settings) {
    require();
    return OpenClProvider.openAccelerator(0, settings);
  }

  /// Skips or fails the test where OpenCL is missing.
  static void require() {
    if (new OpenClProvider().probe() instanceof Availability.Missing missing) {
      BackendCompatibility.absent(missing, System.getenv("CI"));
    }
  }
}
