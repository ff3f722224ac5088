package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.core.Buffer;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.core.Scope;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.cuda.Emulator.Fact;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.ProgramCache;

/// Calls that fail, one at a time, and a device that is lost.
@ExtendWith(NothingLeft.class)
class FaultsTest {
  private static final int ILLEGAL_ADDRESS = 700;
  private static final int LAUNCH_FAILED = 719;
  private static final int INVALID_VALUE = 1;

  private static final KernelVariant ADD =
      KernelVariant.of("portable", "add", Map.of("VW", 4, "WG", 64, "X", "F32"));

  private final Emulator emulator = Emulator.load();

  private static DeviceException fails(Effect effect, String message, Runnable run) {
    var e = assertThrows(DeviceException.class, run::run);
    assertTrue(e.getMessage().contains(message), e.getMessage());
    assertEquals(effect, e.effect(), e.getMessage());
    return e;
  }

  private static void works(DeviceBackend backend) {
    try (Scope scope = backend.open("test")) {
      Tensor a = scope.floats(16, 16);
      Tensor b = scope.floats(16, 16);
      Tensor c = scope.floats(16, 16);
      backend.ops().fill(a, 2);
      backend.ops().fill(b, 3);
      backend.ops().matmul(Sink.set(c), a, Trans.N, b, Trans.N, 1);
      assertEquals(96, backend.floats(c)[255]);
    }
  }

  // --- opening ---

  @ParameterizedTest
  @CsvSource({
    "cuDeviceGet, 1",
    "cuDevicePrimaryCtxRetain, 1",
    "cuCtxSetCurrent, 1",
    "cuStreamCreate, 1",
    "cuMemHostAlloc, 1",
    "cuMemHostAlloc, 2",
    "cuEventCreate, 1",
    "cuEventCreate, 2"
  })
  void openingThatFailsLeavesNothing(String call, int nth) {
    emulator.fail(call, nth, INVALID_VALUE);
    fails(Effect.CALL_FAILED, call + ": CUDA_ERROR_INVALID_VALUE (1) on ", Present::accelerator);
    NothingLeft.check();
    emulator.fail(call, nth, INVALID_VALUE);
    assertThrows(DeviceException.class, Present::backend);
    NothingLeft.check();
    try (DeviceBackend backend = Present.backend()) {
      works(backend);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "cublasCreate, 1",
    "cublasSetStream, 14",
    "cublasSetWorkspace, 7",
    "cublasSetMathMode, 14",
    "device allocation, 2"
  })
  void withoutCublasItGoesOn(String call, int code) {
    emulator.fail(call, 1, code);
    try (DeviceBackend backend = Present.backend()) {
      works(backend);
    }
    assertEquals(0, emulator.calls("cublasSgemm"));
  }

  @Test
  void aDeviceWithoutAnyMemoryIsGivenBack() {
    emulator.fail(Emulator.DEVICE_ALLOCATION, 1, 2, 0);
    fails(Effect.CALL_FAILED, "cuda:0: no memory at all", Present::backend);
  }

  // --- commands ---

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cuCtxSetCurrent",
        "cuMemAllocAsync",
        "cuMemcpyHtoDAsync",
        "cuMemcpyDtoHAsync",
        "cuMemcpyDtoDAsync",
        "cuLaunchKernel",
        "cuModuleLoadDataEx",
        "cuModuleGetFunction"
      })
  void aCallThatFailsSaysSoAndTheDeviceGoesOn(String call) {
    try (CudaAccelerator a = Present.accelerator()) {
      everything(a);
      emulator.fail(call, 1, INVALID_VALUE);
      var e = assertThrows(DeviceException.class, () -> everything(a));
      assertTrue(
          e.getMessage().startsWith(call + ": CUDA_ERROR_INVALID_VALUE (1) on CUDA emulator"),
          e.getMessage());
      assertEquals(Effect.CALL_FAILED, e.effect());
      everything(a);
    }
  }

  /// Calls everything that is not for errors or times. What an exception leaves is given back when
  /// the accelerator is closed.
  private static void everything(CudaAccelerator a) {
    Buffer x = a.allocate(64);
    CudaKernel add = Kernels.add(a);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {1}));
    a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    a.copy(x, 4, x, 0, 4);
    float[] out = new float[2];
    a.download(MemorySegment.ofArray(out), x, 0);
    assertArrayEquals(new float[] {2, 2}, out);
    add.close();
    a.free(x);
  }

  @ParameterizedTest
  @ValueSource(strings = {"cublasSgemm", "cublasSgemmStridedBatched"})
  void aProductThatFailsSaysWhichOne(String call) {
    try (DeviceBackend backend = Present.backend();
        Scope scope = backend.open("test")) {
      long batch = call.equals("cublasSgemm") ? 1 : 3;
      Tensor a = scope.floats(batch, 2, 3);
      Tensor b = scope.floats(batch, 3, 5);
      Tensor c = scope.floats(batch, 2, 5);
      emulator.fail(call, 1, 14);
      var e =
          fails(
              Effect.CALL_FAILED,
              call + ": CUBLAS_STATUS_INTERNAL_ERROR (14) on CUDA emulator: ",
              () -> backend.ops().matmul(Sink.set(c), a, Trans.N, b, Trans.N, 1));
      assertTrue(e.getMessage().contains("m=2, n=5, k=3"), e.getMessage());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cuEventCreate", "cuEventRecord", "cuEventSynchronize", "cuEventElapsedTime"})
  void timesThatFailLeaveNothing(String call) {
    for (int nth = 1; nth <= (call.equals("cuEventCreate") ? 2 : 1); nth++) {
      try (CudaAccelerator a = Present.accelerator(Present.options(), true)) {
        Buffer x = a.allocate(64);
        CudaKernel add = Kernels.add(a);
        emulator.fail(call, nth, INVALID_VALUE);
        assertThrows(
            DeviceException.class,
            () -> {
              a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 1), nanos -> {});
              a.synchronize();
            });
      }
      NothingLeft.check();
    }
  }

  @Test
  void largeCopiesThatFailSaySo() {
    try (CudaAccelerator a = Present.accelerator()) {
      byte[] many = new byte[3 * Staging.CHUNK];
      MemorySegment all = MemorySegment.ofArray(many);
      Buffer x = a.allocate(many.length);
      for (String call : List.of("cuEventRecord", "cuMemcpyHtoDAsync")) {
        emulator.fail(call, 1, INVALID_VALUE);
        fails(Effect.CALL_FAILED, call, () -> a.upload(x, 0, all));
      }
      for (String call : List.of("cuEventRecord", "cuMemcpyDtoHAsync")) {
        emulator.fail(call, 2, INVALID_VALUE);
        fails(Effect.CALL_FAILED, call, () -> a.download(all, x, 0));
      }
      a.upload(x, 0, all);
      a.download(all, x, 0);
    }
  }

  // --- a lost device ---

  @ParameterizedTest
  @ValueSource(ints = {ILLEGAL_ADDRESS, LAUNCH_FAILED})
  void afterAKernelThatFailsEveryCallSaysWhy(int code) {
    DeviceBackend backend = Present.backend();
    try (Scope scope = backend.open("test")) {
      Tensor x = scope.floats(4);
      emulator.fail(Emulator.EXECUTION, 1, code);
      var first = assertThrows(DeviceException.class, () -> fillAndRead(backend, x));
      assertEquals(Effect.DEVICE_LOST, first.effect());
      assertTrue(first.getMessage().contains("(%d)".formatted(code)), first.getMessage());
      var later = assertThrows(IllegalStateException.class, () -> fillAndRead(backend, x));
      assertEquals(first, later.getCause());
      assertTrue(later.getMessage().contains("close this backend and open a new one"));
    }
    backend.close();
    backend.close();
    emulator.reset();
    try (DeviceBackend next = Present.backend()) {
      works(next);
    }
  }

  private static float[] fillAndRead(DeviceBackend backend, Tensor x) {
    backend.ops().fill(x, 1);
    return backend.floats(x);
  }

  /// The primary context is shared: it comes to life again when nobody holds it any more.
  @Test
  void aDeviceIsLostForAllThatHoldIt() {
    DeviceBackend one = Present.backend();
    DeviceBackend other = Present.backend();
    Scope here = one.open("here");
    Scope there = other.open("there");
    Tensor x = here.floats(4);
    Tensor y = there.floats(4);
    emulator.fail(Emulator.EXECUTION, 1, ILLEGAL_ADDRESS);
    assertThrows(DeviceException.class, () -> fillAndRead(one, x));
    var e = assertThrows(DeviceException.class, () -> fillAndRead(other, y));
    assertEquals(Effect.DEVICE_LOST, e.effect());
    one.close();
    assertThrows(DeviceException.class, Present::backend);
    other.close();
    emulator.reset();
    try (DeviceBackend next = Present.backend()) {
      works(next);
    }
  }

  @Test
  void closingWithWorkInFlightWaitsForIt() {
    emulator.set(Fact.LAZY, 1);
    CudaAccelerator a = Present.accelerator();
    Buffer x = a.allocate(64);
    CudaKernel add = Kernels.add(a);
    for (int i = 0; i < 100; i++) {
      a.upload(x, 0, MemorySegment.ofArray(new float[] {1}));
      a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    }
    a.close();
    a.close();
  }

  @Test
  void closingALostDeviceGivesEverythingBack() {
    for (boolean pools : new boolean[] {true, false}) {
      emulator.set(Fact.POOLS, pools ? 1 : 0);
      CudaAccelerator a = Present.fresh(true);
      Buffer x = a.allocate(64);
      CudaKernel add = Kernels.add(a);
      a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), nanos -> {});
      emulator.loseDevice(LAUNCH_FAILED);
      fails(Effect.DEVICE_LOST, "(719)", a::synchronize);
      a.close();
      assertFalse(emulator.live().contains("device"), emulator.live());
      emulator.reset();
    }
  }

  @Test
  void withoutPoolsMemoryIsGivenOutAtOnce() {
    emulator.set(Fact.POOLS, 0);
    try (CudaAccelerator a = Present.fresh(false)) {
      everything(a);
      assertEquals(0, emulator.calls("cuMemAllocAsync"));
      assertEquals(emulator.calls("cuMemAlloc") - 1, emulator.calls("cuMemFree")); // the workspace
      Buffer x = a.allocate(64);
      emulator.fail("cuMemFree", 1, INVALID_VALUE);
      fails(Effect.CALL_FAILED, "cuMemFree: CUDA_ERROR_INVALID_VALUE (1)", () -> a.free(x));
      assertEquals(null, a.allocate(1L << 50));
      emulator.fail("cuMemAlloc", 1, INVALID_VALUE);
      fails(Effect.CALL_FAILED, "cuMemAlloc: CUDA_ERROR_INVALID_VALUE (1)", () -> a.allocate(64));
    }
    emulator.reset(); // the injected failure has left memory to the context
  }

  // --- kernels that the driver does not take ---

  private static void assertRefused(String ptx, String... parts) {
    Modules.Shipped shipped = (variant, capability) -> ptx;
    try (CudaAccelerator a = Present.accelerator(Present.options().withShipped(shipped))) {
      var e = assertThrows(DeviceException.class, () -> a.compile(ADD));
      for (String part : parts) {
        assertTrue(e.getMessage().contains(part), e.getMessage());
      }
    }
  }

  private static String ptx() {
    return Emulator.ptx(ADD);
  }

  @Test
  void aKernelThatIsTooNewForTheDriverSaysSo() {
    assertRefused(
        ptx().replace(".version 7.0", ".version 9.0"),
        "cuModuleLoadDataEx: CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222)",
        "portable/add VW=4 WG=64 X=F32",
        "update the driver");
  }

  @Test
  void aKernelForOtherDevicesSaysSo() {
    assertRefused("\177ELF", "CUDA_ERROR_NO_BINARY_FOR_GPU (209)", "compute capability 8.6");
    emulator.reset();
  }

  @Test
  void aDriverWithoutItsCompilerSaysSo() {
    emulator.fail("cuModuleLoadDataEx", 1, 221);
    assertRefused(ptx(), "CUDA_ERROR_JIT_COMPILER_NOT_FOUND (221)", "libnvidia-ptxjitcompiler");
  }

  @Test
  void nonsenseIsTold() {
    assertRefused("nonsense", "CUDA_ERROR_INVALID_PTX (218)");
    emulator.reset();
  }

  @Test
  void aCompilerThatFailsSaysSo() {
    Modules.Shipped none = (variant, capability) -> null;
    for (String call : List.of("nvrtcCreateProgram", "nvrtcGetPTX", "nvrtcVersion")) {
      try (CudaAccelerator a = Present.accelerator(Present.options().withShipped(none))) {
        emulator.fail(call, 1, 11);
        var e = assertThrows(DeviceException.class, () -> a.compile(ADD));
        assertTrue(e.getMessage().startsWith(call + ": NVRTC_ERROR"), e.getMessage());
        a.compile(ADD).close();
        assertTrue(a.offers(ADD));
      }
    }
    try (CudaAccelerator a = Present.accelerator()) {
      emulator.fail("nvrtcGetProgramLog", 1, 11);
      KernelVariant broken = KernelVariant.of("test", "broken", Map.of());
      var e =
          assertThrows(
              DeviceException.class,
              () -> a.compile(broken, "extern \"C\" __global__ void broken() { x }"));
      assertTrue(e.getMessage().contains("(no build log: NVRTC_ERROR"), e.getMessage());
    }
  }

  @Test
  void logsAreShortened() {
    assertEquals("(the build log is empty)", Compiler.shortened(null));
    assertEquals("(the build log is empty)", Compiler.shortened(" \n\0"));
    assertEquals("x", Compiler.shortened("x\0"));
    String log = Compiler.shortened("x".repeat(20_000));
    assertTrue(log.endsWith("(3616 more characters)"), log.substring(16_000));
  }

  @Test
  void whatWasCompiledIsKeptAndWhatIsRefusedIsCompiledAgain(@TempDir Path folder) {
    Modules.Shipped none = (variant, capability) -> null;
    for (int i = 0; i < 4; i++) {
      ProgramCache cache = ProgramCache.in(folder, "cuda", ProgramCache.LIMIT);
      var options = Present.options().withShipped(none).withCache(cache);
      emulator.reset();
      try (CudaAccelerator a = Present.accelerator(options)) {
        if (i == 2) {
          emulator.fail("cuModuleLoadDataEx", 1, 218);
        }
        a.compile(ADD).close();
      }
      assertEquals(i == 0 || i == 2 ? 1 : 0, emulator.calls("nvrtcCompileProgram"), "run " + i);
    }
  }
}
