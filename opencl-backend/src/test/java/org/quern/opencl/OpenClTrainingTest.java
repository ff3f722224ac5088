package org.quern.opencl;

import org.junit.jupiter.api.BeforeAll;
import org.quern.core.Backend;
import org.quern.core.Settings;
import org.quern.tck.training.TrainingContract;

class OpenClTrainingTest extends TrainingContract {
  @BeforeAll
  static void requireDevice() {
    Present.require();
  }

  @Override
  protected Backend open() {
    return new OpenClProvider().open(0, Settings.load().withDebug(true));
  }
}
