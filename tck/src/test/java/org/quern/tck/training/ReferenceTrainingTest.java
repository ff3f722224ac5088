package org.quern.tck.training;

import org.quern.core.Backend;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.tck.reference.Rounding;

class ReferenceTrainingTest extends TrainingContract {
  @Override
  protected Backend open() {
    return new ReferenceBackend(Rounding.nearest()); // checkpoints are f32
  }
}
