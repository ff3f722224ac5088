package org.quern.cuda;

import org.quern.core.Backend;
import org.quern.tck.BackendCompatibility;

/// The compatibility kit, whole, with products by cuBLAS.
class CudaCompatibilityTest extends BackendCompatibility {
  @Override
  protected Backend open() {
    return Emulated.backend();
  }
}
