package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.quern.core.Activation;
import org.quern.core.Availability;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Buffer;
import org.quern.core.DType;
import org.quern.core.OutOfDeviceMemoryException;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

@Timeout(60)
class CpuBackendTest {
  private static final Settings SETTINGS =
      new Settings("cpu", 3, 64 << 20, true, false, Precision.F32, false);

  private static CpuBackend open() {
    return CpuProvider.open(SETTINGS, CpuProvider.Choice.AUTO);
  }

  @Test
  void isFoundAndNamesItself() {
    try (Backend backend = Backends.open(SETTINGS)) {
      var device = backend.device();
      assertEquals("cpu", device.backend());
      assertTrue(device.memoryBytes() > 0);
      assertEquals("3", device.details().get("threads"));
      assertTrue(String.valueOf(device.details().get("vector")).endsWith("-bit"));
    }
    assertInstanceOf(Availability.Ready.class, new CpuProvider().probe());
    assertThrows(IllegalArgumentException.class, () -> new CpuProvider().open(1, SETTINGS));
  }

  @Test
  void aWrongChoiceOfKernelsIsNamed() {
    System.setProperty("quern.cpu.kernels", "fast");
    try {
      var missing = assertInstanceOf(Availability.Missing.class, new CpuProvider().probe());
      assertTrue(missing.reason().contains("'fast'"), missing.reason());
      System.setProperty("quern.cpu.kernels", "scalar");
      try (Backend backend = new CpuProvider().open(0, SETTINGS)) {
        assertInstanceOf(ScalarOps.class, backend.ops());
        assertTrue(String.valueOf(backend.device().details().get("vector")).startsWith("off"));
      }
    } finally {
      System.clearProperty("quern.cpu.kernels");
    }
  }

  @Test
  void aWidthThatCannotBeHadIsRefusedWithTheRemedy() {
    int widest = VectorOps.widest();
    for (var choice : CpuProvider.Choice.values()) {
      var missing = CpuProvider.missing(choice);
      if (choice.bits() > widest) {
        assertTrue(text(missing).contains("have " + widest + " bits"), text(missing));
      } else if (choice.bits() > 0 && choice.bits() != Lanes.BITS) {
        assertTrue(text(missing).contains("already"), text(missing));
      } else {
        assertNull(missing);
        continue;
      }
      var e =
          assertThrows(IllegalArgumentException.class, () -> CpuProvider.open(SETTINGS, choice));
      assertTrue(String.valueOf(e.getMessage()).contains(";"), e.getMessage());
    }
  }

  private static String text(Availability.@Nullable Missing missing) {
    return String.valueOf(missing);
  }

  @Test
  void useAfterCloseSaysSo() {
    CpuBackend backend = open();
    Scope scope = backend.open("test");
    Tensor x = scope.floats(4);
    backend.upload(x, 1f, 2, 3, 4);
    backend.close();
    backend.close();
    var e = assertThrows(IllegalStateException.class, () -> backend.floats(x));
    assertTrue(String.valueOf(e.getMessage()).contains("closed"));
    assertThrows(IllegalStateException.class, () -> backend.ops().fill(x, 1));
    assertThrows(IllegalStateException.class, () -> backend.open("late"));
    assertThrows(IllegalStateException.class, backend::sync);
  }

  @Test
  void memoryOfAFreedBufferIsGone() {
    CpuMemory memory = new CpuMemory();
    Buffer buffer = memory.allocate(1024);
    assertEquals(0, ((CpuBuffer) buffer).segment().address() % 64);
    memory.poison(buffer);
    Tensor t = new Tensor(buffer, DType.F32, Shape.of(4), 0);
    assertTrue(Float.isNaN(Native.get(CpuBuffer.floats(t), 3)));
    memory.free(buffer);
    assertThrows(IllegalStateException.class, () -> Native.get(CpuBuffer.floats(t), 0));
  }

  @Test
  void tooMuchMemoryIsRefusedAndWhatIsThereStays() {
    try (CpuBackend backend = open();
        Scope scope = backend.open("test")) {
      Tensor x = scope.floats(1 << 20);
      backend.ops().fill(x, 3);
      assertThrows(OutOfDeviceMemoryException.class, () -> scope.floats(1 << 28));
      assertEquals(3, backend.floats(x)[99]);
    }
    assertEquals(null, new CpuMemory().allocate(1L << 60));
  }

  @Test
  void tensorsOfOthersAndWrongSizesAreRefused() {
    try (CpuBackend backend = open();
        Scope scope = backend.open("test")) {
      Tensor x = scope.floats(4);
      Tensor foreign = new Tensor(() -> 16, DType.F32, Shape.of(4), 0);
      var e = assertThrows(IllegalArgumentException.class, () -> backend.ops().add(x, x, foreign));
      assertTrue(String.valueOf(e.getMessage()).contains("another backend"));
      assertThrows(IllegalArgumentException.class, () -> backend.upload(x, new float[5]));
      assertThrows(
          IllegalArgumentException.class,
          () -> backend.download(MemorySegment.ofArray(new byte[15]), x));
    }
  }

  @Test
  void aPreparedWeightHoldsTheWeight() {
    try (CpuBackend backend = open();
        Scope scope = backend.open("test")) {
      Tensor w = scope.floats(3, 5);
      float[] values = new float[15];
      for (int i = 0; i < 15; i++) {
        values[i] = i;
      }
      backend.upload(w, values);
      Tensor p = backend.prepare(w, scope);
      assertEquals(w.shape(), p.shape());
      assertArrayEquals(values, backend.floats(p));
      Tensor x = scope.floats(1, 5);
      backend.upload(x, 0f, 0, 0, 0, 1);
      Tensor y = scope.floats(1, 1);
      // A part of it is no longer what was packed.
      backend.ops().linear(y, y, x, p.slice(1, 2), null, Activation.NONE);
      assertEquals(9, backend.floats(y)[0]);
    }
  }

  @Test
  void threadsShareTheBackendAndGetWhatEachGetsAlone() throws Exception {
    try (CpuBackend backend = open();
        var executor = Executors.newFixedThreadPool(8)) {
      List<Callable<float[]>> jobs = new ArrayList<>();
      for (int i = 0; i < 32; i++) {
        float size = 1 + i % 4;
        jobs.add(() -> job(backend, size));
      }
      var results = executor.invokeAll(jobs);
      for (int i = 0; i < jobs.size(); i++) {
        assertArrayEquals(jobs.get(i).call(), results.get(i).get());
      }
      assertEquals(0, backend.pool().stats().inUse());
    }
  }

  private static float[] job(CpuBackend backend, float size) {
    try (Scope scope = backend.open("job")) {
      Tensor x = scope.floats(150, 200);
      Tensor y = scope.floats(150, 150);
      Tensor z = scope.floats(150, 150);
      float[] values = new float[150 * 200];
      for (int i = 0; i < values.length; i++) {
        values[i] = size * (float) Math.sin(i);
      }
      backend.upload(x, values);
      backend.ops().matmul(Sink.set(y), x, Trans.N, x, Trans.T, 0.01f);
      backend.ops().linear(z, z, y, y, null, Activation.GELU_TANH);
      return backend.floats(z);
    }
  }

  @Test
  void everyTaskRunsOnceAndFailuresReachTheCaller() {
    try (WorkerPool pool = new WorkerPool(4)) {
      for (int round = 0; round < 2000; round++) {
        int tasks = 1 + round % 50;
        AtomicIntegerArray runs = new AtomicIntegerArray(tasks);
        pool.run(tasks, 1 << 20, (scratch, task) -> runs.incrementAndGet(task));
        for (int i = 0; i < tasks; i++) {
          assertEquals(1, runs.get(i));
        }
      }
      IllegalArgumentException mine = new IllegalArgumentException("mine");
      for (int round = 0; round < 100; round++) {
        var e =
            assertThrows(
                IllegalArgumentException.class,
                () ->
                    pool.run(
                        64,
                        1 << 20,
                        (scratch, task) -> {
                          if (task % 8 == 5) {
                            throw mine;
                          }
                        }));
        assertSame(mine, e);
      }
    }
  }

  @Test
  void regionsWithinRegionsDoNotDeadlock() {
    try (WorkerPool pool = new WorkerPool(3)) {
      AtomicIntegerArray runs = new AtomicIntegerArray(1);
      pool.run(
          8,
          1 << 20,
          (scratch, task) -> pool.run(8, 1 << 20, (inner, t) -> runs.incrementAndGet(0)));
      assertEquals(64, runs.get(0));
    }
  }

  @Test
  void closeWaitsForWorkInFlight() throws Exception {
    WorkerPool pool = new WorkerPool(2);
    CountDownLatch started = new CountDownLatch(1);
    AtomicIntegerArray finished = new AtomicIntegerArray(1);
    Thread caller =
        new Thread(
            () ->
                pool.run(
                    2,
                    1 << 20,
                    (scratch, task) -> {
                      started.countDown();
                      try {
                        TimeUnit.MILLISECONDS.sleep(50);
                      } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                      }
                      finished.incrementAndGet(0);
                    }));
    caller.start();
    started.await();
    pool.close();
    assertEquals(2, finished.get(0));
    caller.join();
    assertThrows(IllegalStateException.class, () -> pool.run(1, 1, (scratch, task) -> {}));
  }
}
