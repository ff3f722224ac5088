package org.quern.opencl;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.core.Settings;
import org.quern.tck.generation.GeneratorContract;
import org.quern.tck.generation.InspectionContract;
import org.quern.tck.generation.SessionContract;

class OpenClGenerationTest {
  @BeforeAll
  static void requireDevice() {
    Present.require();
  }

  private static Backend opencl() {
    return opencl(Precision.F32);
  }

  private static Backend opencl(Precision precision) {
    Settings settings = Settings.load().withDebug(true).withPrecision(precision);
    return new OpenClProvider().open(0, settings);
  }

  @Nested
  class Sessions extends SessionContract {
    @Override
    protected Backend open() {
      return opencl();
    }
  }

  @Nested
  class Inspections extends InspectionContract {
    @Override
    protected Backend open() {
      return opencl();
    }
  }

  /// The cache gives what recomputing gives, however the weights are held.
  @Nested
  class HalfWeights extends SessionContract {
    @Override
    protected Backend open() {
      return opencl(Precision.BF16);
    }
  }

  @Nested
  class EightBitWeights extends SessionContract {
    @Override
    protected Backend open() {
      return opencl(Precision.Q8);
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
