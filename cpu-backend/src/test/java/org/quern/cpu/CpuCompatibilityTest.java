package org.quern.cpu;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.condition.DisabledIfSystemProperty;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Backend;
import org.quern.core.Settings;
import org.quern.tck.BackendCompatibility;

/// The compatibility kit, whole, for both sets of kernels.
@ExtendWith(Tier.class)
class CpuCompatibilityTest {
  @Nested
  class Vector extends BackendCompatibility {
    @Override
    protected Backend open() {
      return CpuProvider.open(settings(), Tier.vector());
    }
  }

  @Nested
  @DisabledIfSystemProperty(
      named = "quern.cpu.kernels",
      matches = "\\d+",
      disabledReason = "the scalar kernels have no width")
  class Scalar extends BackendCompatibility {
    @Override
    protected Backend open() {
      return CpuProvider.open(settings(), CpuProvider.Choice.SCALAR);
    }
  }

  private static Settings settings() {
    return Settings.load().withThreads(3).withDebug(true);
  }
}
