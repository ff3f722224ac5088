package org.quern.cuda;

import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Backend;
import org.quern.core.Settings;
import org.quern.tck.BackendCompatibility;

/// The compatibility kit, whole, without cuBLAS and with the modules as they are shipped; NVRTC
/// makes the variants that are not.
@ExtendWith(NothingLeft.class)
class CudaOwnProductsCompatibilityTest extends BackendCompatibility {
  @Override
  protected Backend open() {
    return Present.backend(
        Settings.load().withDebug(true),
        Present.options().withCublas(false).withShipped(Images::ptx));
  }
}
