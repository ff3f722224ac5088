package org.quern.cuda;

import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Backend;
import org.quern.tck.BackendCompatibility;

/// The compatibility kit, whole, with products by cuBLAS.
@ExtendWith(NothingLeft.class)
class CudaCompatibilityTest extends BackendCompatibility {
  @Override
  protected Backend open() {
    return Present.backend();
  }
}
