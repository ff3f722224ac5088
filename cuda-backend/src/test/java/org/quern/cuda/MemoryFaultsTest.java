package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.core.Backend;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.core.OutOfDeviceMemoryException;
import org.quern.core.Settings;
import org.quern.gpt.Gpt;
import org.quern.kernels.DeviceBackend;
import org.quern.train.Trainer;

/// Memory that runs out, at every place where some is asked for.
@ExtendWith(NothingLeft.class)
class MemoryFaultsTest {
  private static final int NO_MEMORY = 2;
  private static final long FOR_GOOD = 0;

  private final Emulator emulator = Emulator.load();

  private static DeviceBackend open() {
    return open(true);
  }

  private static DeviceBackend open(boolean graphs) {
    return Present.backend(Settings.load(), Present.options().withGraphs(graphs));
  }

  private static void assertExplained(OutOfDeviceMemoryException e, String scope) {
    for (String part :
        List.of("out of memory on cuda:0: asked for", scope, "smaller batch", "quern.memory")) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
  }

  private static void assertNothingHeld(Backend backend) {
    assertEquals(List.of(), backend.pool().leaks());
    assertEquals(0, backend.pool().stats().inUse());
  }

  /// Every allocation from the n-th on fails, for all n, while a model is made and trained.
  @Test
  void everyAllocationOfATrainingFailsInTurn() {
    int n = 1;
    for (boolean failed = true; failed; ) {
      try (Backend backend = open()) {
        emulator.fail(Emulator.DEVICE_ALLOCATION, n, NO_MEMORY, FOR_GOOD);
        try {
          double loss = TinyModel.train(backend, 4, 1);
          assertTrue(Double.isFinite(loss));
          failed = false;
        } catch (OutOfDeviceMemoryException e) {
          assertExplained(e, "Scope 'model' peak");
          n++;
        }
        assertNothingHeld(backend);
        emulator.reset();
        assertTrue(Double.isFinite(TinyModel.train(backend, 1, 1)), "a smaller batch works");
        assertNothingHeld(backend);
      }
      NothingLeft.check();
    }
    assertTrue(n > 50, n + " places");
  }

  /// The same for a step of a trainer that goes on.
  @Test
  void everyAllocationOfAStepFailsInTurn() {
    int n = 1;
    for (boolean failed = true; failed; ) {
      try (Backend backend = open();
          Gpt model = TinyModel.model(backend);
          Trainer trainer = TinyModel.trainer(model, 4)) {
        long held = backend.pool().stats().inUse();
        emulator.fail(Emulator.DEVICE_ALLOCATION, n, NO_MEMORY, FOR_GOOD);
        try {
          trainer.step();
          failed = false;
        } catch (OutOfDeviceMemoryException e) {
          assertExplained(e, "Scope 'training step' peak");
          n++;
        }
        assertEquals(held, backend.pool().stats().inUse());
        emulator.reset();
        assertTrue(Double.isFinite(trainer.step().loss()));
      }
      NothingLeft.check();
    }
    assertTrue(n > 10, n + " places");
  }

  /// {@return how many times something is used in a training that goes well}
  private long uses(String name, boolean graphs) {
    emulator.reset();
    try (Backend backend = open(graphs)) {
      emulator.reset();
      TinyModel.train(backend, 2, 3);
      return emulator.calls(name);
    }
  }

  /// What of a training the driver may find no memory for, beside memory.
  enum Use {
    LAUNCH(Emulator.LAUNCH),
    PRODUCT("cublasSgemm"),
    UPLOAD("cuMemcpyHtoDAsync"),
    DOWNLOAD("cuMemcpyDtoHAsync"),
    COPY("cuMemcpyDtoDAsync"),
    LOAD("cuModuleLoadDataEx"),
    GRAPH("cuGraphLaunch"),
    INSTANTIATE("cuGraphInstantiateWithFlags");

    final String name;

    Use(String name) {
      this.name = name;
    }

    int code() {
      return this == PRODUCT ? 3 : NO_MEMORY; // CUBLAS_STATUS_ALLOC_FAILED
    }
  }

  @ParameterizedTest
  @EnumSource(Use.class)
  void whatFindsNoMemoryOnceIsDoneAgain(Use use) {
    long uses = uses(use.name, true);
    double expected;
    try (Backend backend = open()) {
      expected = TinyModel.train(backend, 2, 3);
    }
    for (long n = 1; n <= uses; n += 1 + uses / 7) {
      try (Backend backend = open()) {
        emulator.reset();
        emulator.fail(use.name, n, use.code());
        assertEquals(expected, TinyModel.train(backend, 2, 3), use + " " + n);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Use.class,
      names = {"GRAPH", "INSTANTIATE"},
      mode = EnumSource.Mode.EXCLUDE)
  void whatFindsNoMemoryTwiceSaysSoAndTheBackendGoesOn(Use use) {
    long uses = uses(use.name, false);
    for (long n = 1; n <= uses; n += 1 + uses / 7) {
      // To capture a graph calls the same functions, and may fail without harm.
      try (Backend backend = open(false)) {
        emulator.reset();
        emulator.fail(use.name, n, use.code(), 2);
        var e =
            assertThrows(
                DeviceException.class, () -> TinyModel.train(backend, 2, 3), use + " " + n);
        assertEquals(Effect.OUT_OF_MEMORY, e.effect(), e.getMessage());
        assertNothingHeld(backend);
        emulator.reset();
        assertTrue(Double.isFinite(TinyModel.train(backend, 1, 1)));
      }
    }
  }

  @Test
  void aSmallSettingIsALimitToo() {
    Settings small = Settings.load().withMemory(10_000);
    try (Backend backend = Present.backend(small, Present.options())) {
      var e = assertThrows(OutOfDeviceMemoryException.class, () -> TinyModel.train(backend, 1, 1));
      assertExplained(e, "Scope 'model' peak");
      assertFalse(backend.pool().stats().peak() > 10_000);
    }
  }
}
