package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Availability;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.DeviceInfo;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Tensor;
import org.quern.kernels.DeviceLimits;

@ExtendWith(NothingLeft.class)
class CudaProviderTest {
  private static final String GRAPHS = "quern.graphs";

  private final CudaProvider provider = new CudaProvider();

  @AfterEach
  void clear() {
    System.clearProperty(GRAPHS);
  }

  private List<DeviceInfo> devices() {
    return assertInstanceOf(Availability.Ready.class, provider.probe()).devices();
  }

  @Test
  void describesTheDevice() {
    DeviceInfo device = devices().getFirst();
    assertEquals("cuda", device.backend());
    assertEquals(0, device.index());
    assertEquals("CUDA emulator", device.name());
    assertEquals(4L << 30, device.memoryBytes());
    assertEquals("8.6", device.details().get("compute capability"));
    assertEquals("CUDA 12.6", device.details().get("driver"));
    assertEquals("48 KiB, at most 99 KiB", device.details().get("shared memory"));
    assertEquals("in stream order", device.details().get("memory"));
    assertEquals("cuBLAS", device.details().get("products"));
    assertEquals("NVRTC", device.details().get("compiler"));
  }

  @Test
  void remembersWhatItFound() {
    List<DeviceInfo> first = devices();
    Emulator.load().set(Emulator.Fact.DEVICES, 0);
    assertEquals(first, devices());
  }

  @Test
  void isPreferred() {
    assertEquals(30, provider.priority());
    assertEquals("cuda", provider.name());
  }

  @Test
  void knowsTheLimits() {
    DeviceLimits limits = CudaProvider.device(0).limits();
    assertEquals(DeviceLimits.Kind.GPU, limits.kind());
    assertTrue(limits.units() >= 1, limits.toString());
    assertEquals(1024, limits.groupSize());
    assertEquals(48 << 10, limits.localBytes());
    assertEquals(1, limits.vectorWidth());
  }

  @Test
  void refusesADeviceThatIsNotThere() {
    for (int index : new int[] {-1, 1}) {
      var e =
          assertThrows(IllegalArgumentException.class, () -> provider.open(index, Settings.load()));
      assertEquals("backend 'cuda' has no device %d; it has 1".formatted(index), e.getMessage());
    }
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> Backends.open(Settings.load().withBackend("cuda:7")));
    assertTrue(e.getMessage().contains("7"), e.getMessage());
  }

  @Test
  void opensTheDeviceByItsName() {
    try (Backend backend = Backends.open(Settings.load().withBackend("cuda:0"));
        Scope scope = backend.open("test")) {
      Tensor x = scope.floats(3);
      backend.upload(x, 1f, 2f, 3f);
      backend.ops().scale(x, x, 2);
      assertEquals(List.of(2f, 4f, 6f), list(backend.floats(x)));
    }
  }

  private static List<Float> list(float... numbers) {
    return List.of(numbers[0], numbers[1], numbers[2]);
  }

  @Test
  void graphsAreOnUnlessTheUserSaysFalse() {
    assertTrue(CudaProvider.options().graphs());
    System.setProperty(GRAPHS, "true");
    assertTrue(CudaProvider.options().graphs());
    System.setProperty(GRAPHS, " False ");
    assertFalse(CudaProvider.options().graphs());
  }
}
