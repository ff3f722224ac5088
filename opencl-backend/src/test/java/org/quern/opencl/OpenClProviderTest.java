package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.quern.core.Availability;
import org.quern.core.DeviceInfo;
import org.quern.core.Settings;
import org.quern.kernels.DeviceLimits;

class OpenClProviderTest {
  private final OpenClProvider provider = new OpenClProvider();

  @BeforeAll
  static void present() {
    Present.require();
  }

  private List<DeviceInfo> devices() {
    return assertInstanceOf(Availability.Ready.class, provider.probe()).devices();
  }

  @Test
  void describesTheDevices() {
    int index = 0;
    for (DeviceInfo device : devices()) {
      assertEquals("opencl", device.backend());
      assertEquals(index++, device.index());
      assertFalse(device.name().isBlank());
      assertTrue(device.memoryBytes() > 1 << 20, device.toString());
      for (String key :
          List.of(
              "type",
              "platform",
              "driver",
              "language",
              "compute units",
              "local memory",
              "largest group",
              "largest buffer",
              "f16")) {
        String value = device.details().get(key);
        assertFalse(value == null || value.isBlank(), key);
      }
    }
  }

  @Test
  void remembersWhatItFound() {
    assertEquals(
        devices(),
        new OpenClProvider().probe() instanceof Availability.Ready r ? r.devices() : List.of());
  }

  @Test
  void comesBeforeTheCpuOnlyWithAGpu() {
    boolean gpu = OpenClProvider.device(0).limits().kind() == DeviceLimits.Kind.GPU;
    assertEquals(gpu ? 20 : 5, provider.priority());
  }

  @Test
  void knowsTheLimits() {
    DeviceLimits limits = OpenClProvider.device(0).limits();
    assertTrue(limits.units() >= 1, limits.toString());
    assertTrue(limits.groupSize() >= 16, limits.toString());
    assertTrue(limits.localBytes() >= 16 << 10, limits.toString());
    assertTrue(limits.bufferBytes() <= limits.memoryBytes(), limits.toString());
    assertTrue(limits.vectorWidth() >= 1, limits.toString());
  }

  @Test
  void refusesADeviceThatIsNotThere() {
    for (int index : new int[] {-1, devices().size()}) {
      var e =
          assertThrows(
              IllegalArgumentException.class,
              () -> OpenClProvider.openAccelerator(index, Settings.load()));
      assertTrue(e.getMessage().contains("has no device " + index), e.getMessage());
    }
  }
}
