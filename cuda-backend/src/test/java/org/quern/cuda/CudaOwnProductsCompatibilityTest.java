package org.quern.cuda;

import org.quern.core.Backend;
import org.quern.core.Settings;
import org.quern.tck.BackendCompatibility;

/// The compatibility kit, whole, without cuBLAS.
class CudaOwnProductsCompatibilityTest extends BackendCompatibility {
  @Override
  protected Backend open() {
    return Emulated.backend(Settings.load().withDebug(true), Emulated.options().withCublas(false));
  }
}
