package org.quern.opencl;

import org.quern.core.Backend;
import org.quern.kernels.Tuning;

/// Many items with narrow vectors a group, as a GPU likes it.
class OpenClNarrowCompatibilityTest extends OpenClCompatibility {
  @Override
  protected Backend open() {
    return OpenClProvider.open(0, settings(), Tuning.gpu());
  }
}
