package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.quern.kernels.KernelVariant;

class EmulatorSelfTest {
  private final Emulator emulator = Emulator.load();

  @BeforeEach
  void reset() {
    emulator.reset();
  }

  @Test
  void aPortableKernelRuns() {
    KernelVariant add = KernelVariant.of("portable", "axpy", Map.of("VW", 4, "WG", 32, "X", "F32"));
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      var function = device.function(Emulator.ptx(add), "axpy");
      long x = device.upload(1f, 2f, 3f, 4f, 5f);
      long y = device.upload(10f, 20f, 30f, 40f, 50f);
      device.launch(function, 1, 32, 0, y, 0L, x, 0L, 5L, 2.0f, 1);
      assertArrayEquals(new float[] {12, 24, 36, 48, 60}, device.download(y, 5));
    }
    assertEquals("", emulator.live());
    assertEquals("", emulator.reports());
  }
}
