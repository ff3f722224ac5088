package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.core.DType;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.core.OutOfDeviceMemoryException;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.FakeAccelerator.Call;
import org.quern.train.Trainer;

/// Memory that runs out, wherever it may.
@Timeout(60)
class DeviceMemoryFaultsTest {
  private final FakeAccelerator device = new FakeAccelerator();

  @AfterEach
  void isGone() {
    device.assertGone();
  }

  private DeviceBackend open() {
    return TinyModel.open(device, false);
  }

  @Test
  void aDeviceWithoutAnyMemoryIsGivenBack() {
    device.fail(Call.ALLOCATE, 0, 1, null);
    var e = assertThrows(DeviceException.class, this::open);
    assertTrue(e.getMessage().contains("fake:0: no memory at all"), e.getMessage());
  }

  @Test
  void aDeviceThatFailsWhileItIsOpenedIsGivenBack() {
    device.fail(Call.ALLOCATE, 0, 1, Effect.DEVICE_LOST);
    assertThrows(DeviceException.class, this::open);
  }

  /// A few operations of every kind.
  ///
  /// @return 3 in each element
  private static float[] sequence(DeviceBackend backend, int size) {
    try (Scope scope = backend.open("sequence")) {
      Tensor a = scope.floats(size);
      Tensor b = scope.floats(size);
      backend.ops().fill(a, 1);
      backend.ops().fill(b, 2);
      Tensor c = scope.floats(size);
      backend.ops().add(c, a, b);
      scope.release(a);
      Tensor quantized = backend.quantize(scope.floats(4, size), scope);
      assertEquals(4, quantized.shape().dim(0));
      return backend.floats(c);
    }
  }

  private static void assertExplained(OutOfDeviceMemoryException e, String scope) {
    for (String part :
        List.of("out of memory on fake:0: asked for", scope, "smaller batch", "quern.memory")) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
    assertTrue(e.requested() > 0);
  }

  private static void assertNothingHeld(DeviceBackend backend) {
    assertEquals(List.of(), backend.pool().leaks());
    assertEquals(0, backend.pool().stats().inUse());
  }

  @Test
  void runningOutInASequenceIsToldAndASmallerOneWorks() {
    int n = 0;
    boolean failed = true;
    while (failed) {
      FakeAccelerator fresh = new FakeAccelerator();
      try (DeviceBackend backend = TinyModel.open(fresh, false)) {
        fresh.failFrom(Call.ALLOCATE, n, null);
        try {
          sequence(backend, 100);
          failed = false;
        } catch (OutOfDeviceMemoryException e) {
          assertExplained(e, "Scope 'sequence' peak");
          n++;
        }
        assertNothingHeld(backend);
        fresh.heal();
        assertArrayEquals(new float[] {3, 3}, sequence(backend, 2));
      }
      fresh.assertGone();
    }
    assertTrue(n >= 5, n + " failures");
    open().close();
  }

  @Test
  void whatIsKeptForReuseIsGivenUpFirst() {
    try (DeviceBackend backend = open();
        Scope scope = backend.open("test")) {
      scope.release(scope.floats(1000));
      device.fail(Call.ALLOCATE, 0, 1, null);
      backend.ops().fill(scope.floats(500), 1);
      assertEquals(1, device.count(Call.FREE));
      scope.release(scope.floats(1000));
      device.fail(Call.ALLOCATE, 0, 1, Effect.OUT_OF_MEMORY);
      backend.ops().fill(scope.floats(600), 1);
      assertEquals(2, device.count(Call.FREE));
    }
  }

  @Test
  void runningOutWhileAModelIsMadeAndTrainedIsTold() {
    int n = 0;
    boolean failed = true;
    while (failed) {
      FakeAccelerator fresh = new FakeAccelerator();
      try (DeviceBackend backend = TinyModel.open(fresh, false)) {
        fresh.failFrom(Call.ALLOCATE, n, null);
        try {
          TinyModel.train(backend, 4, 2);
          failed = false;
        } catch (OutOfDeviceMemoryException e) {
          assertExplained(e, "Scope 'model' peak");
          n++;
        }
        assertNothingHeld(backend);
        fresh.heal();
        TinyModel.train(backend, 1, 1);
        assertNothingHeld(backend);
      }
      fresh.assertGone();
    }
    assertTrue(n > 50, n + " failures");
    open().close();
  }

  @Test
  void aTrainerGoesOnAfterAStepThatRanOut() {
    int n = 0;
    boolean failed = true;
    while (failed) {
      FakeAccelerator fresh = new FakeAccelerator();
      try (DeviceBackend backend = TinyModel.open(fresh, false);
          var model = TinyModel.model(backend);
          Trainer trainer = TinyModel.trainer(model, 4)) {
        long held = backend.pool().stats().inUse();
        fresh.failFrom(Call.ALLOCATE, n, null);
        try {
          trainer.step();
          failed = false;
        } catch (OutOfDeviceMemoryException e) {
          assertExplained(e, "Scope 'training step' peak");
          assertEquals(0, trainer.steps());
          n++;
        }
        assertEquals(held, backend.pool().stats().inUse());
        fresh.heal();
        trainer.step();
        assertEquals(held, backend.pool().stats().inUse());
      }
      fresh.assertGone();
    }
    assertTrue(n > 10, n + " failures");
    open().close();
  }

  /// Asks for everything but memory, once.
  private static void everything(DeviceBackend backend, Tensor x) {
    backend.upload(x, new float[(int) x.elements()]);
    backend.ops().fill(x, 2);
    backend.ops().copy(x.slice(0, 1), x.slice(1, 2));
    backend.sync();
    assertEquals(2, backend.floats(x)[0]);
  }

  @ParameterizedTest
  @EnumSource(names = {"UPLOAD", "DOWNLOAD", "COPY", "COMPILE", "LAUNCH", "SYNCHRONIZE"})
  void aCallThatFindsNoMemoryIsDoneOnceMoreWithoutWhatIsKept(Call call) {
    try (DeviceBackend backend = open();
        Scope scope = backend.open("test")) {
      Tensor x = scope.floats(4);
      scope.release(scope.floats(1000));
      device.fail(call, 0, 1, Effect.OUT_OF_MEMORY);
      everything(backend, x);
      assertEquals(2, device.count(call));
      assertEquals(0, backend.pool().stats().cached());
      assertEquals(1, device.count(Call.FREE));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"UPLOAD", "DOWNLOAD", "COPY", "COMPILE", "LAUNCH", "SYNCHRONIZE"})
  void aCallThatFindsNoMemoryTwiceSaysSoAndTheBackendGoesOn(Call call) {
    try (DeviceBackend backend = open();
        Scope scope = backend.open("test")) {
      Tensor x = scope.floats(4);
      scope.release(scope.floats(1000));
      device.fail(call, 0, 2, Effect.OUT_OF_MEMORY);
      var e = assertThrows(DeviceException.class, () -> everything(backend, x));
      assertEquals(Effect.OUT_OF_MEMORY, e.effect());
      assertTrue(e.getMessage().startsWith(call.name()), e.getMessage());
      assertEquals(2, device.count(call));
      assertEquals(0, backend.pool().stats().cached());
      everything(backend, x);
    }
  }

  @Test
  void bothLaunchesOfASumAreDoneOnceMore() {
    try (DeviceBackend backend = open();
        Scope scope = backend.open("test")) {
      Tensor y = scope.floats(1);
      Tensor x = scope.floats(100);
      scope.release(scope.floats(1000));
      device.failKernel(Call.LAUNCH, "sum_partials", 1, Effect.OUT_OF_MEMORY);
      backend.ops().sumOfSquares(y, x);
      assertEquals(4, device.count(Call.LAUNCH));
      assertEquals(0, backend.pool().stats().cached());
      assertEquals(1, backend.floats(y)[0]);
    }
  }

  @Test
  void aTensorAboveTheLargestBufferIsRefused() {
    try (DeviceBackend backend = open();
        Scope scope = backend.open("test")) {
      var e =
          assertThrows(
              DeviceException.class, () -> scope.allocate(DType.F32, Shape.of(1 << 24, 2)));
      assertTrue(e.getMessage().contains("134217728 bytes"), e.getMessage());
      assertTrue(e.getMessage().contains("limit of 67108864 bytes"), e.getMessage());
      assertEquals(0, backend.pool().stats().inUse());
    }
  }

  @Test
  void theSettingLimitsMemory() {
    Settings small = Settings.load().withDebug(false).withMemory(10_000);
    try (DeviceBackend backend = new DeviceBackend(device, small, Tuning.gpu());
        Scope scope = backend.open("test")) {
      scope.floats(2000);
      var e = assertThrows(OutOfDeviceMemoryException.class, () -> scope.floats(2000));
      assertExplained(e, "Scope 'test' peak");
    }
  }
}
