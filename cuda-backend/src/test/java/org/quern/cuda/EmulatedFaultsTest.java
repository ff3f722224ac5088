package org.quern.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.cuda.Emulator.Fact;
import org.quern.cuda.Emulator.Kind;
import org.quern.kernels.KernelVariant;

/// What goes wrong on machines, made to go wrong: memory, modules, launches and devices.
@SuppressWarnings("restricted")
class EmulatedFaultsTest {
  private static final int OUT_OF_MEMORY = 2;
  private static final MemorySegment NULL = MemorySegment.NULL;
  private static final KernelVariant AXPY =
      KernelVariant.of("portable", "axpy", Map.of("VW", 4, "WG", 32, "X", "F32"));

  private final Emulator emulator = Emulator.load();

  @BeforeEach
  void reset() {
    emulator.reset();
    emulator.set(Fact.PRINT, 0);
  }

  @AfterEach
  void nothingIsLeft() {
    assertEquals("", emulator.live());
    emulator.reset();
  }

  @Test
  void machinesDiffer() {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      emulator.set(Fact.DEVICES, 0);
      assertEquals(100, device.call("cuInit", 0));
      emulator.set(Fact.DEVICES, 2);
      assertEquals(0, device.call("cuDeviceGet", device.out(), 1));
      assertEquals(101, device.call("cuDeviceGet", device.out(), 2));
      assertEquals(101, device.call("cuDevicePrimaryCtxRetain", device.out(), 2));
      emulator.set(Fact.CAPABILITY, 75);
      assertEquals(7, attribute(device, 75));
      assertEquals(5, attribute(device, 76));
      assertEquals(65536, attribute(device, 97), "shared memory of a block");
      emulator.set(Fact.CAPABILITY, 90);
      assertEquals(232448, attribute(device, 97));
      assertEquals(1, attribute(device, 115), "pools");
      emulator.set(Fact.POOLS, 0);
      assertEquals(0, attribute(device, 115));
      assertEquals(801, device.call("cuMemAllocAsync", device.out(), 4L, NULL));
    }
  }

  private static int attribute(EmulatedDevice device, int which) {
    device.check("cuDeviceGetAttribute", device.out(), which, 0);
    return device.out().get(JAVA_INT, 0);
  }

  @Test
  void memoryRunsOut() {
    emulator.set(Fact.MEMORY, 1000);
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      device.allocate(600);
      assertEquals(OUT_OF_MEMORY, device.call("cuMemAlloc_v2", device.out(), 500L));
      assertEquals(600, emulator.deviceBytes());
      MemorySegment sizes = device.arena().allocate(16, 8);
      device.check("cuMemGetInfo_v2", sizes, sizes.asSlice(8));
      assertEquals(400, sizes.get(JAVA_LONG, 0));
      assertEquals(1000, sizes.get(JAVA_LONG, 8));
      device.allocate(400);
      assertEquals(OUT_OF_MEMORY, device.call("cuMemAlloc_v2", device.out(), 1L));
    }
  }

  /// The last bytes of 256 are not guarded by a page; what is written there is seen later.
  @Test
  void memoryIsGuarded() {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      MemorySegment axpy = device.function(Emulator.ptx(AXPY), "axpy");
      assertTrue(Float.isNaN(device.download(device.allocate(12), 3)[2]), "fresh");
      long x = device.upload(1f, 1f, 1f, 1f);
      long y = device.upload(new float[3]);
      device.launch(axpy, 1, 32, 0, y, 0L, x, 0L, 4L, 1f, 1);
      assertEquals(700, device.call("cuMemFree_v2", y));
      assertTrue(
          emulator.reports().contains("write past the end of a 12-byte allocation, at offset 12"));
      assertEquals("context 1, device 2, module 1", emulator.live());
    }
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      MemorySegment axpy = device.function(Emulator.ptx(AXPY), "axpy");
      long x = device.upload(1f);
      device.check("cuMemAlloc_v2", device.out(), 4L);
      long freed = device.out().get(JAVA_LONG, 0);
      device.check("cuMemFree_v2", freed);
      assertEquals(0, device.tryLaunch(axpy, 1, 32, 0, freed, 0L, x, 0L, 1L, 1f, 1));
      assertEquals(700, device.call("cuCtxSynchronize"));
      assertTrue(emulator.reports().contains("illegal access at"), emulator.reports());
    }
  }

  /// What was freed in stream order stays reserved until a synchronisation, as the threshold says.
  @Test
  void aPoolKeepsWhatWasFreed() {
    emulator.set(Fact.MEMORY, 1000);
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      device.check("cuDeviceGetDefaultMemPool", device.out(), 0);
      MemorySegment pool = device.last();
      MemorySegment keepAll = device.arena().allocateFrom(JAVA_LONG, Long.MAX_VALUE);
      device.check("cuMemPoolSetAttribute", pool, 4, keepAll);
      device.check("cuMemAllocAsync", device.out(), 800L, NULL);
      long address = device.out().get(JAVA_LONG, 0);
      device.check("cuMemFreeAsync", address, NULL);
      assertEquals(1, device.call("cuMemFreeAsync", address, NULL), "freed twice");
      device.check("cuCtxSynchronize");
      assertEquals(OUT_OF_MEMORY, device.call("cuMemAlloc_v2", device.out(), 500L));
      device.check("cuMemAllocAsync", device.out(), 700L, NULL);
      device.check("cuMemFreeAsync", device.out().get(JAVA_LONG, 0), NULL);
      device.check("cuCtxSynchronize");
      device.check("cuMemPoolGetAttribute", pool, 5, device.out());
      assertEquals(800, device.out().get(JAVA_LONG, 0), "reserved");
      device.check("cuMemPoolTrimTo", pool, 0L);
      device.allocate(1000);
    }
  }

  @Test
  void theNthUseFails() {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      emulator.fail(Emulator.DEVICE_ALLOCATION, 3, OUT_OF_MEMORY);
      device.allocate(4);
      device.check("cuMemAllocAsync", device.out(), 4L, NULL);
      device.check("cuMemFreeAsync", device.out().get(JAVA_LONG, 0), NULL);
      assertEquals(OUT_OF_MEMORY, device.call("cuMemAlloc_v2", device.out(), 4L));
      device.allocate(4);

      emulator.fail(Emulator.PINNED_ALLOCATION, 1, OUT_OF_MEMORY, 2);
      assertEquals(OUT_OF_MEMORY, device.call("cuMemHostAlloc", device.out(), 4L, 0));
      assertEquals(OUT_OF_MEMORY, device.call("cuMemAllocHost_v2", device.out(), 4L));
      device.check("cuMemHostAlloc", device.out(), 4L, 0);
      device.check("cuMemFreeHost", device.last());

      emulator.fail("cuStreamCreate", 1, 999, 0);
      assertEquals(999, device.call("cuStreamCreate", device.out(), 0));
      assertEquals(999, device.call("cuStreamCreate", device.out(), 0));
      assertEquals(2, emulator.calls("cuStreamCreate"));
    }
  }

  @ParameterizedTest
  @CsvSource({"700, kernel execution", "719, kernel execution", "2, kernel launch"})
  void launchesFail(int code, String name) {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      MemorySegment axpy = device.function(Emulator.ptx(AXPY), "axpy");
      long x = device.upload(1f);
      emulator.fail(name, 2, code);
      assertEquals(0, launch(device, axpy, x));
      boolean atOnce = name.equals(Emulator.LAUNCH);
      assertEquals(atOnce ? code : 0, launch(device, axpy, x));
      assertEquals(atOnce ? 0 : code, device.call("cuCtxSynchronize"));
      assertEquals(atOnce ? 0 : code, device.call("cuMemGetInfo_v2", device.out(), device.out()));
      assertEquals(atOnce ? 0 : code, launch(device, axpy, x));
    }
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      device.check("cuCtxSynchronize"); // a new context is as good as new
    }
  }

  private static int launch(EmulatedDevice device, MemorySegment axpy, long x) {
    return device.tryLaunch(axpy, 1, 32, 0, x, 0L, x, 0L, 1L, 1f, 1);
  }

  @Test
  void aLostDeviceStillTakesBack() {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      device.upload(1f);
      device.function(Emulator.ptx(AXPY), "axpy");
      emulator.loseDevice(700);
      assertEquals(700, device.call("cuMemAlloc_v2", device.out(), 4L));
      assertEquals(700, device.call("cuStreamCreate", device.out(), 0));
      assertEquals(1, emulator.live(Kind.DEVICE));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "11080, 86, 8.5, 80, 222, ''",
    "12060, 86, 9.0, 80, 222, ''",
    "13000, 86, 9.0, 80, 0, ''",
    "12060, 75, 8.0, 80, 218, sm_80 is newer",
    "12060, 80, 7.0, 75, 0, ''",
  })
  void ptxMayBeTooNew(
      int driver, int capability, String version, int target, int code, String log) {
    emulator.set(Fact.DRIVER, driver);
    emulator.set(Fact.CAPABILITY, capability);
    String ptx =
        Emulator.ptx(AXPY)
            .replace(".version 7.0", ".version " + version)
            .replace("sm_75", "sm_" + target);
    assertEquals(code, load(ptx, log));
  }

  @Test
  void modulesThatDoNotCompileSayWhy() {
    String ptx = Emulator.ptx(AXPY);
    assertEquals(218, load(ptx.replace("X=F32", "X=F33"), "F33_t"));
    assertEquals(218, load(ptx.replace("axpy", "axpq"), "no kernel portable/axpq"));
    assertEquals(218, load(ptx.replace("// quern", "//"), "names no variant"));
    assertEquals(218, load("hello", "this is no PTX"));
    String parameters = ".visible .entry axpy(.param .u64 a,.param .u32 b)\n{ ret; }\n";
    assertEquals(218, load(ptx + parameters, "the PTX is stale"));
    assertEquals(209, load("\177ELF", ""));
  }

  /// Loads a module, and looks for a text in the error log.
  private int load(String ptx, String log) {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      MemorySegment buffer = device.arena().allocate(500);
      MemorySegment options = device.arena().allocateFrom(JAVA_INT, 5, 6);
      MemorySegment values =
          device.arena().allocateFrom(JAVA_LONG, buffer.address(), buffer.byteSize());
      int code =
          device.call(
              "cuModuleLoadDataEx",
              device.out(),
              device.arena().allocateFrom(ptx),
              2,
              options,
              values);
      if (code == 0) {
        device.check("cuModuleUnload", device.last());
      }
      String text = buffer.getString(0);
      assertTrue(text.contains(log), text);
      assertEquals(text.length(), values.getAtIndex(JAVA_LONG, 1));
      return code;
    }
  }

  @Test
  void launchesAreChecked() {
    String ptx = Emulator.ptx(AXPY);
    String withBounds = ptx + ".visible .entry axpy()\n.maxntid 64, 1, 1\n{ ret; }\n";
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      MemorySegment axpy = device.function(withBounds, "axpy");
      device.check("cuFuncGetAttribute", device.out(), 0, axpy);
      assertEquals(64, device.out().get(JAVA_INT, 0));
      long x = device.upload(1f);
      Object[] arguments = {x, 0L, x, 0L, 1L, 1f, 1};
      assertEquals(701, device.tryLaunch(axpy, 1, 65, 0, arguments));
      assertEquals(1, device.tryLaunch(axpy, 1, 1025, 0, arguments));
      assertEquals(1, device.tryLaunch(axpy, 0, 32, 0, arguments));
      assertEquals(1, device.tryLaunch(axpy, 1, 32, 49153, arguments));
      assertEquals(1, device.call("cuFuncSetAttribute", axpy, 8, 101377));
      device.check("cuFuncSetAttribute", axpy, 8, 101376);
      assertEquals(0, device.tryLaunch(axpy, 1, 32, 101376, arguments));
    }
  }

  @Test
  void misusedHandlesAreRefused() {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      device.check("cuStreamCreate", device.out(), 0);
      MemorySegment stream = device.last();
      device.check("cuStreamDestroy_v2", stream);
      assertEquals(400, device.call("cuStreamDestroy_v2", stream));
      assertEquals(400, device.call("cuStreamSynchronize", stream));
      assertEquals(1, device.call("cuMemFree_v2", 12345L));
      long x = device.upload(1f, 2f);
      assertEquals(1, device.call("cuMemcpyDtoD_v2", x, x, 9L));
      device.check("cuCtxPopCurrent_v2", device.out());
      assertEquals(201, device.call("cuCtxSynchronize"));
      device.check("cuCtxPushCurrent_v2", device.last());
    }
  }

  /// A library's first call of a function that is not there would end the process.
  @Test
  void whatTheEmulatorLacksAnswersAnError() {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      assertEquals(801, device.call("cuMemAllocManaged", device.out(), 4L, 1));
      assertEquals(1, emulator.calls("cuMemAllocManaged"));
    }
  }

  /// With lazy work, a buffer that is used again too soon shows.
  @Test
  void lazyWorkRunsWhenSomebodyWaits() {
    emulator.set(Fact.LAZY, 1);
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      device.check("cuMemHostAlloc", device.out(), 8L, 0);
      MemorySegment pinned = device.last().reinterpret(8);
      long x = device.allocate(8);
      pinned.set(JAVA_INT, 0, 1);
      device.check("cuMemcpyHtoDAsync_v2", x, pinned, 4L, NULL);
      pinned.set(JAVA_INT, 0, 2);
      assertArrayEquals(new int[] {2}, device.downloadInts(x, 1));
      MemorySegment pageable = device.arena().allocateFrom(JAVA_INT, 3);
      device.check("cuMemcpyHtoDAsync_v2", x, pageable, 4L, NULL);
      pageable.set(JAVA_INT, 0, 4);
      assertArrayEquals(
          new int[] {3}, device.downloadInts(x, 1), "pageable memory is taken at once");
      device.check("cuMemFreeHost", pinned);
    }
  }

  @Test
  void eventsTellTimes() {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      device.check("cuEventCreate", device.out(), 0);
      MemorySegment begin = device.last();
      device.check("cuEventCreate", device.out(), 0);
      MemorySegment end = device.last();
      MemorySegment milliseconds = device.arena().allocate(JAVA_INT);
      assertEquals(400, device.call("cuEventElapsedTime", milliseconds, begin, end));
      device.check("cuEventRecord", begin, NULL);
      device.allocate(4);
      device.check("cuMemsetD8Async", device.allocate(1 << 20), 0, 1L << 20, NULL);
      device.check("cuEventRecord", end, NULL);
      device.check("cuEventSynchronize", end);
      device.check("cuEventElapsedTime", milliseconds, begin, end);
      float time = milliseconds.get(JAVA_FLOAT, 0);
      assertTrue(time > 0 && time < 1000, "" + time);
      device.check("cuEventDestroy_v2", begin);
      device.check("cuEventDestroy_v2", end);
    }
  }

  @Test
  void callsAreCounted() {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      emulator.reset();
      device.allocate(4);
      device.allocate(4);
      device.check("cuCtxSynchronize");
      assertEquals(3, emulator.calls());
      assertEquals(2, emulator.calls("cuMemAlloc"));
      assertTrue(emulator.callTable().contains("cuMemAlloc 2\n"), emulator.callTable());
      assertEquals(2, emulator.live(Kind.DEVICE));
      assertEquals("context 1, device 2", emulator.live());
    }
  }
}
