package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.core.Scope;
import org.quern.core.Tensor;
import org.quern.kernels.FakeAccelerator.Call;

/// Closing, with other threads in operations or not, and the two locks that they take: the pool's
/// and the launcher's.
@Timeout(120)
class DeviceThreadsTest {
  private static final int THREADS = 4;
  private static final long PATIENCE_SECONDS = 30;
  private static final String CLOSED = "fake:0 is closed";

  @FunctionalInterface
  private interface Work {
    void run(int thread) throws Exception;
  }

  /// Runs work in threads of its own, of which the first failure is thrown; a deadlock is one.
  private static void inThreads(Work work, Runnable meanwhile) throws Exception {
    ExecutorService executor = Executors.newFixedThreadPool(THREADS + 1);
    try {
      CountDownLatch started = new CountDownLatch(THREADS);
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < THREADS; i++) {
        int thread = i;
        all.add(
            executor.submit(
                () -> {
                  started.countDown();
                  work.run(thread);
                  return null;
                }));
      }
      started.await();
      all.add(executor.submit(meanwhile));
      for (Future<?> one : all) {
        try {
          one.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
          fail("deadlock? " + stacks());
        } catch (ExecutionException e) {
          throw new AssertionError(e.getCause());
        }
      }
    } finally {
      executor.shutdownNow();
    }
  }

  private static String stacks() {
    StringBuilder out = new StringBuilder();
    Thread.getAllStackTraces()
        .forEach((thread, stack) -> out.append("%n%s %s".formatted(thread, Arrays.asList(stack))));
    return out.toString();
  }

  /// Every call widens the windows between two steps of a thread.
  private static FakeAccelerator slow(long seed) {
    AtomicLong state = new AtomicLong(seed);
    FakeAccelerator device = new FakeAccelerator();
    device.pace(
        () -> {
          if (new SplittableRandom(state.getAndIncrement()).nextInt(4) == 0) {
            Thread.yield();
          }
        });
    return device;
  }

  private static void assertClosed(org.junit.jupiter.api.function.Executable call) {
    assertEquals(CLOSED, assertThrows(IllegalStateException.class, call).getMessage());
  }

  @Test
  void useAfterCloseSaysSoAndReachesNoDevice() {
    FakeAccelerator device = new FakeAccelerator();
    DeviceBackend backend = TinyModel.open(device, true);
    Scope scope = backend.open("left open");
    Tensor x = scope.floats(4);
    Tensor y = scope.floats(1);
    backend.ops().fill(x, 1);
    backend.close();
    backend.close();
    device.assertGone();
    assertClosed(() -> backend.ops().fill(x, 1));
    assertClosed(() -> backend.ops().copy(x, x));
    assertClosed(() -> backend.ops().sumOfSquares(y, x));
    assertClosed(() -> backend.upload(x, 1f, 2, 3, 4));
    assertClosed(() -> backend.floats(x));
    assertClosed(() -> backend.quantize(x, scope));
    assertClosed(backend::sync);
    assertClosed(backend::kernelTimes);
    assertClosed(() -> backend.open("late"));
    assertClosed(() -> scope.floats(1));
    assertClosed(() -> scope.release(x));
    scope.close();
    backend.pool().trim();
    assertEquals(0, backend.pool().stats().inUse());
    assertEquals(List.of(), backend.pool().leaks());
    assertEquals("Fake", backend.device().name());
    device.assertGone();
  }

  @Test
  void manyThreadsMayCloseOneAndTheSame() throws Exception {
    for (int round = 0; round < 50; round++) {
      FakeAccelerator device = slow(round);
      DeviceBackend backend = TinyModel.open(device, true);
      backend.open("left open").floats(100);
      inThreads(thread -> backend.close(), backend::close);
      device.assertGone();
    }
  }

  /// Uses everything that takes a lock, over and over.
  private static void use(DeviceBackend backend, int thread) {
    try (Scope scope = backend.open("user " + thread)) {
      for (int i = 1; i <= 6; i++) {
        Tensor x = scope.floats(64L * i);
        Tensor sum = scope.floats(1);
        backend.ops().fill(x, thread);
        backend.ops().add(x, x, x);
        backend.ops().sumOfSquares(sum, x);
        scope.release(sum);
        assertEquals(2 * thread, backend.floats(x)[64 * i - 1]);
        if (i % 2 == 0) {
          scope.release(x);
        }
      }
    }
    backend.pool().trim();
    backend.sync();
    assertEquals("Fake", backend.device().name());
    assertTrue(backend.pool().stats().inUse() >= 0);
    backend.pool().leaks();
    backend.kernelTimes();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void closingWhileThreadsAreInOperations(boolean debug) throws Exception {
    AtomicInteger finished = new AtomicInteger();
    for (int round = 0; round < 100; round++) {
      FakeAccelerator device = slow(round);
      DeviceBackend backend = TinyModel.open(device, debug);
      int uses = round % 7;
      CountDownLatch enough = new CountDownLatch(THREADS * uses);
      inThreads(
          thread -> {
            try {
              while (true) {
                use(backend, thread);
                finished.incrementAndGet();
                enough.countDown();
              }
            } catch (IllegalStateException e) {
              assertEquals(CLOSED, e.getMessage());
            } finally {
              while (enough.getCount() > 0) {
                enough.countDown();
              }
            }
          },
          () -> {
            try {
              enough.await();
            } catch (InterruptedException e) {
              throw new IllegalStateException(e);
            }
            backend.close();
          });
      device.assertGone();
    }
    assertTrue(finished.get() > 100, finished + " uses before close");
  }

  @Test
  void theLocksAreTakenInOneOrder() throws Exception {
    FakeAccelerator device = slow(1);
    // The driver runs out of memory now and then: the pool is trimmed from under the launcher,
    // while others release (pool, then launcher) and poison (pool, launcher, perhaps pool again).
    SplittableRandom chance = new SplittableRandom(7);
    for (int i = 0; i < 400; i++) {
      Call call = chance.nextBoolean() ? Call.LAUNCH : Call.DOWNLOAD;
      device.fail(call, chance.nextInt(5, 4000), chance.nextInt(1, 3), Effect.OUT_OF_MEMORY);
    }
    AtomicInteger failures = new AtomicInteger();
    DeviceBackend backend = TinyModel.open(device, true);
    inThreads(
        thread -> {
          for (int i = 0; i < 150; i++) {
            try {
              use(backend, thread);
            } catch (DeviceException e) {
              assertEquals(Effect.OUT_OF_MEMORY, e.effect());
              failures.incrementAndGet();
            }
          }
        },
        () -> {
          for (int i = 0; i < 500; i++) {
            backend.pool().trim();
          }
        });
    assertTrue(failures.get() > 0, "some failed twice");
    assertEquals(0, backend.pool().stats().inUse());
    assertEquals(List.of(), backend.pool().leaks());
    backend.close();
    device.assertGone();
  }

  @Test
  void aDeviceThatIsLostUnderThreadsIsToldToEach() throws Exception {
    for (int round = 0; round < 30; round++) {
      FakeAccelerator device = slow(round);
      DeviceBackend backend = TinyModel.open(device, round % 2 == 0);
      device.fail(Call.LAUNCH, 40 + 3 * round, 1, Effect.DEVICE_LOST);
      AtomicInteger first = new AtomicInteger();
      inThreads(
          thread -> {
            try {
              while (true) {
                use(backend, thread);
              }
            } catch (DeviceException e) {
              assertEquals(Effect.DEVICE_LOST, e.effect());
              first.incrementAndGet();
            } catch (IllegalStateException e) {
              assertTrue(e.getMessage().startsWith("fake:0 has lost its device"), e.getMessage());
            }
          },
          () -> {});
      assertTrue(first.get() <= 1, "the driver is not asked again");
      assertEquals(0, backend.pool().stats().inUse());
      backend.close();
      device.assertGone();
    }
  }

  @Test
  void threadsGetWhatEachGetsAlone() throws Exception {
    FakeAccelerator device = slow(3);
    try (DeviceBackend backend = TinyModel.open(device, true)) {
      inThreads(
          thread -> {
            for (int i = 0; i < 100; i++) {
              try (Scope scope = backend.open("job")) {
                Tensor x = scope.floats(2);
                Tensor y = scope.floats(2);
                backend.upload(x, (float) thread, i);
                backend.ops().fill(y, 10);
                backend.ops().add(y, y, x);
                assertArrayEquals(new float[] {10 + thread, 10 + i}, backend.floats(y));
              }
            }
          },
          () -> {});
    }
    device.assertGone();
  }
}
