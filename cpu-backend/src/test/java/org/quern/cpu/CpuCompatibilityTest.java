package org.quern.cpu;

import org.junit.jupiter.api.Nested;
import org.quern.core.Backend;
import org.quern.core.Settings;
import org.quern.tck.BackendCompatibility;

/// The compatibility kit, whole, for both sets of kernels.
class CpuCompatibilityTest {
  @Nested
  class Vector extends BackendCompatibility {
    @Override
    protected Backend open() {
      return CpuProvider.open(settings(), CpuProvider.Choice.VECTOR);
    }
  }

  @Nested
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
