package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Buffer;
import org.quern.kernels.Grid;

/// Memory of a device, and copies from, to and within it.
@ExtendWith(NothingLeft.class)
class CudaMemoryTest {
  private static final int MIB = 1 << 20;

  private CudaAccelerator a;

  @BeforeEach
  void open() {
    a = Present.accelerator();
  }

  @AfterEach
  void close() {
    if (a != null) {
      a.close();
    }
  }

  private static byte[] random(int size) {
    byte[] out = new byte[size];
    new SplittableRandom(size).nextBytes(out);
    return out;
  }

  private static void same(byte[] expected, MemorySegment found) {
    assertEquals(-1, MemorySegment.ofArray(expected).mismatch(found));
  }

  /// Writes at an offset between guards, and reads all of it back.
  private void roundTrip(int size, int at, boolean heap) {
    byte[] all = random(size + at + 5);
    byte[] part = random(size);
    Buffer buffer = a.allocate(all.length);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment source =
          heap
              ? MemorySegment.ofArray(part)
              : arena.allocate(size).copyFrom(MemorySegment.ofArray(part));
      a.upload(buffer, 0, MemorySegment.ofArray(all));
      a.upload(buffer, at, source);
      source.fill((byte) 0); // which must not matter any more
      MemorySegment found =
          heap ? MemorySegment.ofArray(new byte[size]) : arena.allocate(Math.max(size, 1), 1);
      a.download(found.asSlice(0, size), buffer, at);
      same(random(size), found.asSlice(0, size));
      MemorySegment whole = MemorySegment.ofArray(new byte[all.length]);
      a.download(whole, buffer, 0);
      System.arraycopy(random(size), 0, all, at, size);
      same(all, whole);
    } finally {
      a.free(buffer);
    }
  }

  @Test
  void uploadsAndDownloadsAnySize() {
    for (int size :
        new int[] {1, 2, 3, 63, 64, 65, 4095, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 9 * MIB + 7}) {
      for (int at : new int[] {0, 1, 13, 64}) {
        roundTrip(size, at, true);
        roundTrip(size, at, false);
      }
    }
    roundTrip(33 * MIB, 3, true);
    roundTrip(33 * MIB, 0, false);
  }

  @Test
  void copiesNothingWhenThereIsNothingToCopy() {
    Buffer buffer = a.allocate(4);
    a.upload(buffer, 0, MemorySegment.ofArray(new byte[] {1, 2, 3, 4}));
    a.upload(buffer, 4, MemorySegment.ofArray(new byte[0]));
    a.download(MemorySegment.ofArray(new byte[0]), buffer, 4);
    a.copy(buffer, 4, buffer, 0, 0);
    byte[] out = new byte[4];
    a.download(MemorySegment.ofArray(out), buffer, 0);
    same(new byte[] {1, 2, 3, 4}, MemorySegment.ofArray(out));
    a.free(buffer);
  }

  @Test
  void manySmallUploadsArriveInOrder() {
    // More than both pinned pieces hold.
    int n = 3 * 2 * Staging.CHUNK / 64;
    Buffer buffer = a.allocate(4L * 1000);
    int[] expected = new int[1000];
    for (int i = 0; i < n; i++) {
      int at = (i * 7) % 1000;
      a.upload(buffer, 4L * at, MemorySegment.ofArray(new int[] {i}));
      expected[at] = i;
    }
    int[] out = new int[1000];
    a.download(MemorySegment.ofArray(out), buffer, 0);
    assertEquals(List.of(), differences(expected, out));
    a.free(buffer);
  }

  private static List<String> differences(int[] expected, int[] found) {
    List<String> out = new ArrayList<>();
    for (int i = 0; i < expected.length; i++) {
      if (expected[i] != found[i]) {
        out.add("%d: %d, found %d".formatted(i, expected[i], found[i]));
      }
    }
    return out;
  }

  @Test
  void runsUploadsKernelsAndDownloadsInOrder() {
    Buffer x = a.allocate(4);
    CudaKernel add = Kernels.add(a);
    float[] out = new float[1];
    for (int i = 0; i < 100; i++) {
      a.upload(x, 0, MemorySegment.ofArray(new float[] {i}));
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 1000), null);
      if (i % 10 == 0) {
        a.download(MemorySegment.ofArray(out), x, 0);
        assertEquals(i + 1000, out[0]);
      }
    }
    a.free(x);
  }

  @Test
  void copiesWithinTheDevice() {
    byte[] bytes = random(1000);
    Buffer one = a.allocate(1000);
    Buffer other = a.allocate(1000);
    a.upload(one, 0, MemorySegment.ofArray(bytes));
    a.copy(other, 0, one, 0, 1000);
    a.copy(other, 3, one, 500, 77);
    a.copy(other, 900, other, 0, 80);
    System.arraycopy(random(1000), 500, bytes, 3, 77);
    System.arraycopy(bytes, 0, bytes, 900, 80);
    byte[] out = new byte[1000];
    a.download(MemorySegment.ofArray(out), other, 0);
    same(bytes, MemorySegment.ofArray(out));
    a.free(one);
    a.free(other);
  }

  @Test
  void refusesWhatLiesOutside() {
    Buffer small = a.allocate(16);
    var e =
        assertThrows(
            IllegalArgumentException.class,
            () -> a.upload(small, 8, MemorySegment.ofArray(new byte[9])));
    assertEquals("9 bytes from 8 on are not within a buffer of 16 bytes", e.getMessage());
    assertThrows(
        IllegalArgumentException.class,
        () -> a.download(MemorySegment.ofArray(new byte[17]), small, 0));
    assertThrows(
        IllegalArgumentException.class,
        () -> a.download(MemorySegment.ofArray(new byte[1]), small, -1));
    assertThrows(IllegalArgumentException.class, () -> a.copy(small, 0, small, 9, 8));
    assertThrows(IllegalArgumentException.class, () -> a.copy(small, 9, small, 0, 8));
    a.upload(small, 8, MemorySegment.ofArray(new byte[8]));
    a.synchronize();
    a.free(small);
  }

  @Test
  void moreThanThereIsIsNoMemory() {
    assertNull(a.allocate(1L << 50));
    Buffer some = a.allocate(1 << 20);
    assertNotNull(some);
    a.free(some);
  }

  @Test
  void refusesBuffersThatAreFreedOrNotItsOwn() {
    Buffer freed = a.allocate(16);
    a.free(freed);
    assertThrows(IllegalStateException.class, () -> a.free(freed));
    assertThrows(
        IllegalStateException.class, () -> a.upload(freed, 0, MemorySegment.ofArray(new byte[1])));
    assertThrows(IllegalArgumentException.class, () -> a.free(() -> 16));
    try (CudaAccelerator b = Present.accelerator()) {
      Buffer other = b.allocate(16);
      assertThrows(IllegalArgumentException.class, () -> a.free(other));
      b.free(other);
    }
  }

  @Test
  void freedMemoryServesTheWorkThatWasQueued() {
    Buffer x = a.allocate(4);
    Buffer y = a.allocate(4);
    CudaKernel add = Kernels.add(a);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {1}));
    a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), null);
    a.copy(y, 0, x, 0, 4);
    a.free(x);
    float[] out = new float[1];
    a.download(MemorySegment.ofArray(out), y, 0);
    assertEquals(3, out[0]);
    a.free(y);
  }
}
