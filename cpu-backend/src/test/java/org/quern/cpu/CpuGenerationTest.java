package org.quern.cpu;

import org.junit.jupiter.api.Nested;
import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.core.Settings;
import org.quern.tck.generation.GeneratorContract;
import org.quern.tck.generation.InspectionContract;
import org.quern.tck.generation.SessionContract;

class CpuGenerationTest {
  private static Backend cpu() {
    return cpu(Precision.F32);
  }

  private static Backend cpu(Precision precision) {
    Settings settings = Settings.load().withThreads(2).withDebug(true).withPrecision(precision);
    return new CpuProvider().open(0, settings);
  }

  @Nested
  class Sessions extends SessionContract {
    @Override
    protected Backend open() {
      return cpu();
    }
  }

  @Nested
  class Inspections extends InspectionContract {
    @Override
    protected Backend open() {
      return cpu();
    }
  }

  /// The cache gives what recomputing gives, however the weights are held.
  @Nested
  class HalfWeights extends SessionContract {
    @Override
    protected Backend open() {
      return cpu(Precision.BF16);
    }
  }

  /// Where the machine has machine code for them, the above is that.
  @Nested
  class HalfWeightsWithTheVectorApi extends SessionContract {
    @Override
    protected Backend open() {
      return Tiles.with(TileChoice.Setting.VECTOR, () -> cpu(Precision.BF16));
    }
  }

  @Nested
  class EightBitWeights extends SessionContract {
    @Override
    protected Backend open() {
      return cpu(Precision.Q8);
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
