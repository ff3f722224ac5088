package org.quern.opencl;

import org.quern.core.Backend;
import org.quern.kernels.Tuning;

/// One item with wide vectors a group, as a CPU likes it.
class OpenClWideCompatibilityTest extends OpenClCompatibility {
  @Override
  protected Backend open() {
    return OpenClProvider.open(0, settings(), Tuning.cpu(16));
  }
}
