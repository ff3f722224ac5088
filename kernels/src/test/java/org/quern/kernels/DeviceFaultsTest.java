package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.core.Scope;
import org.quern.core.Tensor;
import org.quern.kernels.FakeAccelerator.Call;
import org.quern.train.Trainer;

/// Calls of a driver that fail: once, always for one kernel, or for good.
@Timeout(60)
class DeviceFaultsTest {
  private final FakeAccelerator device = new FakeAccelerator();

  @AfterEach
  void isGone() {
    device.assertGone();
  }

  private DeviceBackend open() {
    return TinyModel.open(device, false);
  }

  private static void works(DeviceBackend backend, Tensor x) {
    backend.upload(x, 5f, 6);
    assertArrayEquals(new float[] {5, 6}, backend.floats(x));
    backend.ops().fill(x, 7);
    assertArrayEquals(new float[] {7, 7}, backend.floats(x));
  }

  @ParameterizedTest
  @EnumSource(names = {"COMPILE", "LAUNCH"})
  void aKernelThatFailsLeavesTheOthersAndCanBeTriedAgain(Call call) {
    try (DeviceBackend backend = open();
        Scope scope = backend.open("test")) {
      Tensor x = scope.floats(2);
      device.failKernel(call, "add", 2, Effect.CALL_FAILED);
      for (int i = 0; i < 2; i++) {
        var e = assertThrows(DeviceException.class, () -> backend.ops().add(x, x, x));
        assertTrue(e.getMessage().contains(call + " of add"), e.getMessage());
        works(backend, x);
      }
      backend.ops().add(x, x, x);
      backend.ops().add(x, x, x);
      assertArrayEquals(new float[] {28, 28}, backend.floats(x));
      assertEquals(2, device.kernels());
      assertEquals(call == Call.COMPILE ? 4 : 2, device.count(Call.COMPILE));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"UPLOAD", "DOWNLOAD", "COMPILE", "LAUNCH"})
  void aFailureAnywhereInAStepIsToldAndTheTrainerGoesOn(Call call) {
    int n = 0;
    boolean failed = true;
    while (failed) {
      FakeAccelerator fresh = new FakeAccelerator();
      try (DeviceBackend backend = TinyModel.open(fresh, false);
          var model = TinyModel.model(backend);
          Trainer trainer = TinyModel.trainer(model, 1)) {
        long held = backend.pool().stats().inUse();
        fresh.fail(call, n, 1, Effect.CALL_FAILED);
        try {
          trainer.step();
          failed = false;
        } catch (DeviceException e) {
          assertTrue(e.getMessage().startsWith(call.name()), e.getMessage());
          n++;
        }
        assertEquals(held, backend.pool().stats().inUse());
        fresh.heal();
        trainer.step();
        assertEquals(held, backend.pool().stats().inUse());
      }
      fresh.assertGone();
    }
    assertTrue(n >= 2, n + " failures");
    open().close();
  }

  @ParameterizedTest
  @EnumSource(names = {"RELEASE_KERNEL", "CLOSE", "SYNCHRONIZE", "FREE"})
  void closingGivesEverythingBackWhateverFails(Call call) {
    DeviceBackend backend = open();
    Scope scope = backend.open("test");
    Tensor x = scope.floats(2);
    scope.floats(1000);
    works(backend, x);
    backend.ops().add(x, x, x);
    device.failFrom(call, 0, Effect.CALL_FAILED);
    backend.close();
    backend.close();
  }

  @Test
  void memoryThatTheDriverDoesNotTakeBackIsNoFailureOfAnythingElse() {
    try (DeviceBackend backend = open();
        Scope scope = backend.open("test")) {
      Tensor x = scope.floats(2);
      for (int i = 1; i < 4; i++) {
        scope.release(scope.floats(1000 * i));
      }
      device.fail(Call.FREE, 0, 1, Effect.CALL_FAILED);
      backend.pool().trim();
      assertEquals(3, device.count(Call.FREE));
      assertEquals(0, backend.pool().stats().cached());
      works(backend, x);
    }
  }

  /// Calls of a backend, by name; each needs the device.
  private static Map<String, Executable> calls(DeviceBackend backend, Scope scope, Tensor x) {
    Map<String, Executable> out = new LinkedHashMap<>();
    out.put("fill", () -> backend.ops().fill(x, 1));
    out.put("add", () -> backend.ops().add(x, x, x));
    out.put("copy", () -> backend.ops().copy(x.slice(0, 1), x.slice(1, 2)));
    out.put("sumOfSquares", () -> backend.ops().sumOfSquares(x.slice(0, 1), x));
    out.put("upload", () -> backend.upload(x, 1f, 2));
    out.put("download", () -> backend.floats(x));
    out.put("sync", backend::sync);
    out.put("kernelTimes", backend::kernelTimes);
    out.put("allocate", () -> scope.floats(12_345));
    return out;
  }

  @ParameterizedTest
  @EnumSource(
      names = {
        "UPLOAD",
        "DOWNLOAD",
        "COPY",
        "COMPILE",
        "LAUNCH",
        "SYNCHRONIZE",
        "ALLOCATE",
        "FREE"
      })
  void aLostDeviceIsNamedWithTheCauseByEveryLaterCall(Call call) {
    DeviceBackend backend = open();
    Scope scope = backend.open("test");
    Tensor x = scope.floats(2);
    scope.release(scope.floats(1000));
    DeviceException first = lose(backend, scope, x, call);
    int asked = asked();
    calls(backend, scope, x)
        .forEach(
            (name, action) -> {
              var e = assertThrows(IllegalStateException.class, action, name);
              assertEquals(
                  ("fake:0 has lost its device (%s: as planned, on Fake);"
                          + " close this backend and open a new one")
                      .formatted(
                          call == Call.LAUNCH || call == Call.COMPILE ? call + " of fill" : call),
                  e.getMessage());
              if (first != null) {
                assertSame(first, e.getCause());
              }
            });
    assertEquals(asked, asked(), "nothing is asked of a lost device");
    scope.close();
    device.failFrom(Call.FREE, 0, Effect.DEVICE_LOST);
    device.failFrom(Call.RELEASE_KERNEL, 0, Effect.DEVICE_LOST);
    device.failFrom(Call.SYNCHRONIZE, 0, Effect.DEVICE_LOST);
    device.failFrom(Call.CLOSE, 0, Effect.DEVICE_LOST);
    backend.close();
    var e = assertThrows(IllegalStateException.class, backend::sync);
    assertEquals("fake:0 is closed", e.getMessage());
  }

  /// {@return what the call that loses the device throws; null where it throws nothing}
  private DeviceException lose(DeviceBackend backend, Scope scope, Tensor x, Call call) {
    device.failFrom(call, 0, Effect.DEVICE_LOST);
    Executable action =
        switch (call) {
          case UPLOAD -> () -> backend.upload(x, 1f, 2);
          case DOWNLOAD -> () -> backend.floats(x);
          case COPY -> () -> backend.ops().copy(x.slice(0, 1), x.slice(1, 2));
          case SYNCHRONIZE -> backend::sync;
          case ALLOCATE -> () -> scope.floats(9999);
          case FREE -> () -> backend.pool().trim();
          default -> () -> backend.ops().fill(x, 1);
        };
    if (call == Call.FREE) { // nobody waits for it: the next call tells
      backend.pool().trim();
      return null;
    }
    return assertThrows(DeviceException.class, action);
  }

  private int asked() {
    return List.of(
            Call.ALLOCATE,
            Call.UPLOAD,
            Call.DOWNLOAD,
            Call.COPY,
            Call.COMPILE,
            Call.LAUNCH,
            Call.SYNCHRONIZE)
        .stream()
        .mapToInt(device::count)
        .sum();
  }

  @Test
  void aDeviceThatIsLostAtCloseIsGivenBack() {
    DeviceBackend backend = open();
    Tensor x = backend.open("test").floats(2);
    works(backend, x);
    device.failFrom(Call.SYNCHRONIZE, 0, Effect.DEVICE_LOST);
    backend.close();
  }

  @Test
  void debuggingPoisonsReleasedMemory() {
    try (DeviceBackend backend = TinyModel.open(device, true);
        Scope scope = backend.open("test")) {
      Tensor x = scope.floats(2);
      works(backend, x);
      scope.release(x);
      float[] found = backend.floats(x);
      assertTrue(Float.isNaN(found[0]) && Float.isNaN(found[1]));
      assertTrue(
          backend.pool().leaks().getFirst().contains("DeviceFaultsTest"),
          "says where it was opened");
    }
  }

  @ParameterizedTest
  @EnumSource(Effect.class)
  void memoryThatCannotBePoisonedIsGivenBackAllTheSame(Effect effect) {
    try (DeviceBackend backend = TinyModel.open(device, true);
        Scope outer = backend.open("outer")) {
      Tensor x = outer.floats(2);
      Scope scope = backend.open("test");
      for (int i = 1; i < 4; i++) {
        scope.floats(1000 * i);
      }
      long held = x.buffer().bytes();
      device.fail(Call.LAUNCH, 1, 2, effect);
      scope.close();
      assertEquals(held, backend.pool().stats().inUse());
      assertEquals(1, backend.pool().leaks().size());
      if (effect == Effect.DEVICE_LOST) {
        assertThrows(IllegalStateException.class, () -> works(backend, x));
      } else {
        works(backend, x);
      }
    }
  }
}
