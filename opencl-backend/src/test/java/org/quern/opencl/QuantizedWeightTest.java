package org.quern.opencl;

import org.junit.jupiter.api.Test;
import org.quern.core.Settings;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Tuning;

class QuantizedWeightTest {
  @Test
  void productsAreWithinHalfAStepOfEachWeight() {
    Present.require();
    for (Tuning tuning : new Tuning[] {Tuning.cpu(16), Tuning.gpu()}) {
      try (DeviceBackend backend = OpenClProvider.open(0, Settings.load(), tuning)) {
        QuantizedWeights.check(backend, 1, 64, 33);
        QuantizedWeights.check(backend, 1, 37, 5);
        QuantizedWeights.check(backend, 5, 771, 127);
        QuantizedWeights.check(backend, 19, 13, 64);
      }
    }
  }
}
