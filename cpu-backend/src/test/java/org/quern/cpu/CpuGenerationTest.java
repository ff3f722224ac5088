package org.quern.cpu;

import org.junit.jupiter.api.Nested;
import org.quern.core.Backend;
import org.quern.core.Settings;
import org.quern.tck.generation.GeneratorContract;
import org.quern.tck.generation.SessionContract;

class CpuGenerationTest {
  private static Backend cpu() {
    return new CpuProvider().open(0, Settings.load().withThreads(2).withDebug(true));
  }

  @Nested
  class Sessions extends SessionContract {
    @Override
    protected Backend open() {
      return cpu();
    }
  }

  @Nested
  class Generators extends GeneratorContract {
    @Override
    protected Backend open() {
      return cpu();
    }
  }
}
