package org.quern.tck;

import org.quern.core.Backend;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.tck.reference.Rounding;

/// The naive f32 implementation: the models' numbers are PyTorch's within the tolerance rule.
class NaiveCompatibilityTest extends BackendCompatibility {
  @Override
  protected Backend open() {
    return new ReferenceBackend(Rounding.nearest());
  }
}
