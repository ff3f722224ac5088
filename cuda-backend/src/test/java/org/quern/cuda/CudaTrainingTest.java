package org.quern.cuda;

import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Backend;
import org.quern.tck.training.TrainingContract;

@ExtendWith(NothingLeft.class)
class CudaTrainingTest extends TrainingContract {
  @Override
  protected Backend open() {
    return Present.backend();
  }
}
