package org.quern.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class BufferPoolTest {
  private static final class Block implements Buffer {
    private final long bytes;

    Block(long bytes) {
      this.bytes = bytes;
    }

    @Override
    public long bytes() {
      return bytes;
    }
  }

  /// A device with so many bytes that notices double frees.
  private static final class Device implements BufferAllocator {
    private final Set<Buffer> live = new HashSet<>();
    private final long capacity;
    private int poisoned;

    Device(long capacity) {
      this.capacity = capacity;
    }

    @Override
    public Buffer allocate(long bytes) {
      if (used() + bytes > capacity) {
        return null;
      }
      Block block = new Block(bytes);
      live.add(block);
      return block;
    }

    @Override
    public void free(Buffer buffer) {
      assertTrue(live.remove(buffer), "freed twice");
    }

    @Override
    public void poison(Buffer buffer) {
      poisoned++;
    }

    long used() {
      return live.stream().mapToLong(Buffer::bytes).sum();
    }
  }

  private final Device device = new Device(1 << 20);
  private final BufferPool pool = new BufferPool("test", device, 1 << 20, false);

  @Test
  void memoryComesBackAndIsUsedAgain() {
    Buffer first;
    try (Scope scope = pool.open("a")) {
      first = scope.floats(1000).buffer();
    }
    assertEquals(0, pool.stats().inUse());
    try (Scope scope = pool.open("b")) {
      assertSame(first, scope.floats(990).buffer());
      assertNotSame(first, scope.floats(1000).buffer());
    }
  }

  @Test
  void workDoneAgainGetsTheSameMemory() {
    List<Buffer> first = step();
    for (int i = 0; i < 5; i++) {
      List<Buffer> again = step();
      for (int k = 0; k < first.size(); k++) {
        assertSame(first.get(k), again.get(k));
      }
    }
  }

  /// Some tensors of one class, of which some are released in between, and out of order.
  private List<Buffer> step() {
    List<Buffer> out = new ArrayList<>();
    try (Scope scope = pool.open("step")) {
      List<Tensor> held = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        held.add(scope.floats(100));
        out.add(held.getLast().buffer());
        if (i % 3 == 2) {
          scope.release(held.remove(i * 7 % held.size()));
        }
      }
    }
    return out;
  }

  @Test
  void wasteIsAtMostAnEighth() {
    for (long bytes = 2048; bytes < 1 << 22; bytes = bytes * 17 / 16 + 3) {
      long size = BufferPool.sizeClass(bytes);
      assertTrue(size >= bytes && size <= bytes * 9 / 8 + 1, bytes + " -> " + size);
    }
  }

  @Test
  void keptMemoryIsGivenBackBeforeGivingUp() {
    try (Scope scope = pool.open("a")) {
      scope.floats(200_000);
    }
    try (Scope scope = pool.open("b")) {
      scope.floats(250_000); // fits only without what was kept
      assertEquals(0, pool.stats().cached());
    }
  }

  @Test
  void runningOutSaysWhoHoldsWhat() {
    try (Scope scope = pool.open("big scope")) {
      scope.floats(200_000);
      var e = assertThrows(OutOfDeviceMemoryException.class, () -> scope.floats(100_000));
      assertTrue(e.getMessage().contains("big scope"), e.getMessage());
      assertTrue(e.getMessage().contains("quern.memory"), e.getMessage());
      assertTrue(e.requested() >= 400_000);
    }
    assertEquals(0, pool.stats().inUse());
  }

  @Test
  void releasingTwiceIsNoticed() {
    try (Scope scope = pool.open("a")) {
      Tensor t = scope.floats(10);
      scope.release(t);
      assertThrows(IllegalStateException.class, () -> scope.release(t));
    }
  }

  @Test
  void movedMemoryBelongsToTheHeir() {
    try (Scope outer = pool.open("outer")) {
      Tensor t;
      try (Scope inner = pool.open("inner")) {
        t = inner.floats(10);
        inner.move(t, outer);
      }
      assertTrue(outer.owns(t));
      assertTrue(pool.stats().inUse() > 0);
    }
    assertEquals(0, pool.stats().inUse());
  }

  @Test
  void closingFreesEverythingOnce() {
    Scope leaked = pool.open("leaked");
    leaked.floats(10);
    assertEquals(1, pool.leaks().size());
    pool.close();
    pool.close();
    leaked.close();
    assertEquals(0, device.used());
    assertThrows(IllegalStateException.class, () -> pool.open("late"));
    assertThrows(IllegalStateException.class, () -> leaked.floats(1));
  }

  @Test
  void debuggingPoisonsAndNamesTheOrigin() {
    try (BufferPool debug = new BufferPool("test", device, 1 << 20, true)) {
      Scope scope = debug.open("named");
      scope.release(scope.floats(5));
      assertEquals(1, device.poisoned);
      assertTrue(debug.leaks().getFirst().startsWith("named holds"));
    }
  }

  @Test
  void anOpenScopeOfAClosedPoolNamesTheDevice() {
    Scope scope = pool.open("late");
    pool.close();
    var e = assertThrows(IllegalStateException.class, () -> scope.floats(1));
    assertEquals("test is closed", e.getMessage());
  }

  @Test
  @Timeout(60)
  void closingWhileThreadsAllocateFreesEverythingOnce() throws Exception {
    try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
      for (int round = 0; round < 300; round++) {
        BufferPool shared = new BufferPool("test", device, 1 << 20, false);
        CountDownLatch started = new CountDownLatch(4);
        List<Future<?>> users = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
          users.add(threads.submit(() -> allocateUntilClosed(shared, started)));
        }
        started.await();
        shared.close();
        for (Future<?> user : users) {
          var e =
              assertThrows(ExecutionException.class, () -> user.get(30, TimeUnit.SECONDS), "ends");
          assertEquals("java.lang.IllegalStateException: test is closed", e.getMessage());
        }
        assertEquals(0, device.used(), "round " + round);
        assertEquals(List.of(), shared.leaks());
      }
    }
  }

  private static void allocateUntilClosed(BufferPool shared, CountDownLatch started) {
    started.countDown();
    while (true) {
      try (Scope scope = shared.open("user")) {
        for (int i = 1; i <= 20; i++) {
          Tensor t = scope.floats(100 * i);
          if (i % 3 == 0) {
            scope.release(t);
          }
        }
      }
    }
  }
}
