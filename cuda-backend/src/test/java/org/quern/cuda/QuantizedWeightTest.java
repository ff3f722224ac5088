package org.quern.cuda;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.kernels.DeviceBackend;

@ExtendWith(NothingLeft.class)
class QuantizedWeightTest {
  @Test
  void productsAreWithinHalfAStepOfEachWeight() {
    try (DeviceBackend backend = Present.backend()) {
      QuantizedWeights.check(backend, 1, 64, 33);
      QuantizedWeights.check(backend, 1, 37, 5);
      QuantizedWeights.check(backend, 5, 771, 127);
      QuantizedWeights.check(backend, 19, 13, 64);
    }
  }
}
