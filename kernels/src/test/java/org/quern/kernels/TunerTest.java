package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.core.Settings;
import org.quern.kernels.FakeAccelerator.Call;

class TunerTest {
  private static DeviceBackend open(FakeAccelerator device) {
    return new DeviceBackend(device, Settings.load(), Tuning.gpu());
  }

  @Test
  void measuresEveryKindOfSizeAndGivesEverythingBack() {
    FakeAccelerator device = new FakeAccelerator();
    List<String> lines = new ArrayList<>();
    Tuning found;
    try (DeviceBackend backend = open(device)) {
      found = Tuner.tune(backend, lines::add);
      assertEquals(0, backend.pool().stats().inUse());
      assertEquals(found, found.fit(backend.limits()));
    }
    for (String what : List.of("vectors", "products", "attention", "rows", "elements")) {
      assertTrue(lines.stream().anyMatch(l -> l.startsWith(what + " 1/")), what);
    }
    device.assertGone();
  }

  @Test
  void aSizeThatTheDriverRefusesIsLeftOut() {
    FakeAccelerator device = new FakeAccelerator();
    device.fail(Call.COMPILE, 0, 2, Effect.CALL_FAILED);
    List<String> lines = new ArrayList<>();
    try (DeviceBackend backend = open(device)) {
      Tuner.tune(backend, lines::add);
    }
    assertTrue(lines.getFirst().contains("refused"), lines.getFirst());
    assertFalse(lines.getLast().contains("refused"), lines.getLast());
    device.assertGone();
  }

  @Test
  void aLostDeviceEndsIt() {
    FakeAccelerator device = new FakeAccelerator();
    device.fail(Call.LAUNCH, 20, 1, Effect.DEVICE_LOST);
    try (DeviceBackend backend = open(device)) {
      assertThrows(DeviceException.class, () -> Tuner.tune(backend, line -> {}));
    }
  }
}
