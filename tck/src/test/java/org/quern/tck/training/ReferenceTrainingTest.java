package org.quern.tck.training;

import org.quern.core.Backend;
import org.quern.tck.reference.ReferenceBackend;

class ReferenceTrainingTest extends TrainingContract {
  @Override
  protected Backend open() {
    return new ReferenceBackend();
  }
}
