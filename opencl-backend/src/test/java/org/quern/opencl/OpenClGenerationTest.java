package org.quern.opencl;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.quern.core.Backend;
import org.quern.core.Settings;
import org.quern.tck.generation.GeneratorContract;
import org.quern.tck.generation.SessionContract;

class OpenClGenerationTest {
  @BeforeAll
  static void requireDevice() {
    Present.require();
  }

  private static Backend opencl() {
    return new OpenClProvider().open(0, Settings.load().withDebug(true));
  }

  @Nested
  class Sessions extends SessionContract {
    @Override
    protected Backend open() {
      return opencl();
    }
  }

  @Nested
  class Generators extends GeneratorContract {
    @Override
    protected Backend open() {
      return opencl();
    }
  }
}
