package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.quern.core.Buffer;
import org.quern.core.DeviceException;
import org.quern.kernels.Grid;

/// Memory of a device, and copies from, to and within it.
class OpenClMemoryTest {
  private static final int MIB = 1 << 20;

  private OpenClAccelerator a;

  @BeforeEach
  void open() {
    a = Present.open();
  }

  @AfterEach
  void close() {
    if (a != null) {
      a.close();
    }
    assertEquals(Map.of(), Resources.all().live());
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
    OpenClKernel add = Kernels.add(a);
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
  void saysWhatTheDriverDidNotLike() {
    Buffer small = a.allocate(16);
    var e =
        assertThrows(
            DeviceException.class, () -> a.upload(small, 8, MemorySegment.ofArray(new byte[9])));
    assertTrue(
        e.getMessage().startsWith("clEnqueueWriteBuffer: CL_INVALID_VALUE (-30) on "),
        e.getMessage());
    assertThrows(
        DeviceException.class, () -> a.download(MemorySegment.ofArray(new byte[17]), small, 0));
    assertThrows(DeviceException.class, () -> a.copy(small, 0, small, 4, 8));
    assertThrows(DeviceException.class, () -> a.allocate(Long.MAX_VALUE / 2));
    a.upload(small, 8, MemorySegment.ofArray(new byte[8]));
    a.synchronize();
    a.free(small);
  }

  @Test
  void refusesBuffersThatAreFreedOrNotItsOwn() {
    Buffer freed = a.allocate(16);
    a.free(freed);
    assertThrows(IllegalStateException.class, () -> a.free(freed));
    assertThrows(
        IllegalStateException.class, () -> a.upload(freed, 0, MemorySegment.ofArray(new byte[1])));
    assertThrows(IllegalArgumentException.class, () -> a.free(() -> 16));
    try (OpenClAccelerator b = Present.open()) {
      Buffer other = b.allocate(16);
      assertThrows(IllegalArgumentException.class, () -> a.free(other));
      b.free(other);
    }
  }

  @Test
  void freedMemoryServesTheWorkThatWasQueued() {
    Buffer x = a.allocate(4);
    Buffer y = a.allocate(4);
    OpenClKernel add = Kernels.add(a);
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
