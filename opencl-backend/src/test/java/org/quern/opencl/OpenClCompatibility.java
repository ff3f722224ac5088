package org.quern.opencl;

import org.jspecify.annotations.Nullable;
import org.quern.core.Availability;
import org.quern.core.Settings;
import org.quern.tck.BackendCompatibility;

/// The compatibility kit, whole. Each shape of the kernels is a class of its own, so that two
/// processes share the work: most of the time goes into compiling kernels, on one thread.
abstract class OpenClCompatibility extends BackendCompatibility {
  @Override
  protected Availability.@Nullable Missing missing() {
    return new OpenClProvider().probe() instanceof Availability.Missing m ? m : null;
  }

  static Settings settings() {
    return Settings.load().withDebug(true);
  }
}
