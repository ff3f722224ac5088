package org.quern.cpu;

import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Settings;
import org.quern.tck.training.TrainingContract;

class CpuTrainingTest extends TrainingContract {
  @Override
  protected Backend open() {
    return Backends.open(Settings.load().withBackend("cpu"));
  }
}
