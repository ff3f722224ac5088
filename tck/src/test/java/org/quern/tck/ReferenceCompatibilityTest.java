package org.quern.tck;

import org.quern.core.Backend;
import org.quern.tck.reference.ReferenceBackend;

/// The reference itself: its models against PyTorch's numbers to `1e-9`; its operations at least do
/// not leak, write elsewhere, or change from run to run.
class ReferenceCompatibilityTest extends BackendCompatibility {
  @Override
  protected Backend open() {
    return new ReferenceBackend();
  }
}
