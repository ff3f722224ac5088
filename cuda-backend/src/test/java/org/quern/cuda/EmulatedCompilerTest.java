package org.quern.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.quern.cuda.Emulator.Fact;
import org.quern.cuda.Emulator.Kind;
import org.quern.kernels.KernelVariant;

/// The emulator's NVRTC, and kernels that are compiled ahead of time.
class EmulatedCompilerTest {
  private static final String TWICE =
      """
      #define TIMES 2
      extern "C" __global__ __launch_bounds__(32) void twice(float* x, const int n) {
        if (threadIdx.x < n) x[threadIdx.x] = TIMES * x[threadIdx.x] + SHIFT;
      }
      extern "C" __global__ void minus(float* x) { x[threadIdx.x] = -x[threadIdx.x]; }
      """;
  private static final MemorySegment NULL = MemorySegment.NULL;

  private final Emulator emulator = Emulator.load();
  private EmulatedDevice device;
  private MemorySegment handle;

  @BeforeEach
  void open() {
    emulator.reset();
    emulator.set(Fact.PRINT, 0);
    device = EmulatedDevice.open(emulator);
    handle = device.arena().allocate(ADDRESS);
  }

  @AfterEach
  void close() {
    device.close();
    assertEquals("", emulator.live());
    emulator.reset();
  }

  private int compile(String text, String... options) {
    MemorySegment source = device.arena().allocateFrom(text);
    device.check("nvrtcCreateProgram", handle, source, NULL, 0, NULL, NULL);
    MemorySegment array = device.arena().allocate(ADDRESS, Math.max(1, options.length));
    for (int i = 0; i < options.length; i++) {
      array.setAtIndex(ADDRESS, i, device.arena().allocateFrom(options[i]));
    }
    return device.call("nvrtcCompileProgram", handle.get(ADDRESS, 0), options.length, array);
  }

  /// `nvrtcGetPTX` or `nvrtcGetProgramLog`.
  private String text(String name) {
    device.check(name + "Size", handle.get(ADDRESS, 0), device.out());
    MemorySegment text = device.arena().allocate(device.out().get(JAVA_LONG, 0));
    device.check(name, handle.get(ADDRESS, 0), text);
    return text.getString(0);
  }

  private void destroy() {
    device.check("nvrtcDestroyProgram", handle);
    assertEquals(NULL, handle.get(ADDRESS, 0));
  }

  @Test
  void aProgramRuns() {
    assertEquals(0, compile(TWICE, "--gpu-architecture=compute_80", "-DSHIFT=1", "--std=c++17"));
    String ptx = text("nvrtcGetPTX");
    assertTrue(ptx.contains(".target sm_80"), ptx);
    assertEquals("", text("nvrtcGetProgramLog"));
    assertEquals(1, emulator.live(Kind.PROGRAM));
    destroy();
    long x = device.upload(1f, 2f, 3f);
    device.launch(device.function(ptx, "twice"), 1, 32, 0, x, 3);
    device.launch(device.function(ptx, "minus"), 1, 3, 0, x);
    assertArrayEquals(new float[] {-3, -5, -7}, device.download(x, 3));
    device.check("cuModuleLoadData", device.out(), device.arena().allocateFrom(ptx));
    MemorySegment module = device.last();
    MemorySegment other = device.arena().allocateFrom("other");
    assertEquals(500, device.call("cuModuleGetFunction", device.out(), module, other));
    device.check("cuModuleUnload", module);
  }

  /// Libraries of kernels must not share what one name means in each.
  @Test
  void kernelsOfOneNameAreApart() {
    String two = "extern \"C\" __global__ void put(int* x, int a) { x[0] = a; }";
    String four =
        "extern \"C\" __global__ void put(int* x, long a, float b, int c) { x[0] = (int)(a + b +"
            + " c); }";
    long x = device.upload(0);
    assertEquals(0, compile(two));
    MemorySegment first = device.function(text("nvrtcGetPTX"), "put");
    destroy();
    assertEquals(0, compile(four));
    MemorySegment second = device.function(text("nvrtcGetPTX"), "put");
    destroy();
    device.launch(second, 1, 1, 0, x, 1000L, 200f, 30);
    assertArrayEquals(new int[] {1230}, device.downloadInts(x, 1));
    device.launch(first, 1, 1, 0, x, 5);
    assertArrayEquals(new int[] {5}, device.downloadInts(x, 1));
  }

  @Test
  void whatDoesNotCompileIsTold() {
    assertEquals(6, compile(TWICE));
    assertTrue(text("nvrtcGetProgramLog").contains("program:3:"), text("nvrtcGetProgramLog"));
    destroy();
    assertEquals(5, compile(TWICE, "--optimize=please"));
    assertTrue(text("nvrtcGetProgramLog").contains("--optimize=please"));
    destroy();
    assertEquals(4, device.call("nvrtcDestroyProgram", handle));
    device.check("nvrtcVersion", device.out(), device.out().asSlice(4));
    assertEquals(12, device.out().get(JAVA_INT, 0));
  }

  @Test
  void kernelsAreCompiledAheadOfTime() {
    List<KernelVariant> right = List.of(axpy("F32"), axpy("F16"), axpy("BF16"));
    emulator.compile(right);
    emulator.set(Fact.CHECK, 1);
    emulator.compile(right);
    var wrong = List.of(axpy("F32"), axpy("F33"));
    var e = assertThrows(IllegalArgumentException.class, () -> emulator.compile(wrong));
    assertTrue(
        e.getMessage().contains("X=F33") && e.getMessage().contains("F33_t"), e.getMessage());
  }

  private static KernelVariant axpy(String storage) {
    return KernelVariant.of("portable", "axpy", Map.of("VW", 4, "WG", 96, "X", storage));
  }
}
