package org.quern.tck.generation;

import org.quern.core.Backend;
import org.quern.tck.reference.ReferenceBackend;

class ReferenceInspectionTest extends InspectionContract {
  @Override
  protected Backend open() {
    return new ReferenceBackend();
  }
}
