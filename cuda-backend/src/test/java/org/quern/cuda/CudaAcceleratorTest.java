package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Buffer;
import org.quern.core.DType;
import org.quern.core.DeviceException;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.cuda.Resources.Kind;
import org.quern.kernels.Accelerator;
import org.quern.kernels.Arguments;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;

/// Kernels of a device, and its end.
@ExtendWith(NothingLeft.class)
class CudaAcceleratorTest {
  private static final String EVERY_KIND =
      """
      extern "C" __global__ void every_kind(
          float* x, long long from, int n, long long added, float factor) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) x[from + i] = x[from + i] * factor + added + PLUS;
      }
      """;

  private static final String WHERE =
      """
      extern "C" __global__ void where_am_i(int* x, long long from) {
        if (threadIdx.x != blockDim.x - 1) return;
        int group = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
        x[from + group] = blockDim.x * 1000000 + blockIdx.x * 10000 + blockIdx.y * 100 + blockIdx.z;
      }
      """;

  private static void works(CudaAccelerator a) {
    Buffer x = a.allocate(4);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {1}));
    try (CudaKernel add = Kernels.add(a)) {
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), null);
    }
    float[] out = new float[1];
    a.download(MemorySegment.ofArray(out), x, 0);
    assertEquals(3, out[0]);
    a.free(x);
  }

  @Test
  void launchesWithEveryKindOfArgument() {
    try (CudaAccelerator a = Present.accelerator()) {
      Buffer x = a.allocate(400);
      a.upload(x, 0, MemorySegment.ofArray(new float[] {1, 2, 3, 4, 5}));
      KernelVariant variant = KernelVariant.of("test", "every_kind", Map.of("PLUS", 1));
      CudaKernel kernel = a.compile(variant, EVERY_KIND);
      assertEquals(variant, kernel.variant());
      Arguments arguments =
          new Arguments().add(new Tensor(x, DType.F32, Shape.of(3), 1)).add(3).add(1L << 20);
      a.launch(kernel, Grid.of(1, 8), arguments.add(0.5f), null);
      float[] out = new float[5];
      a.download(MemorySegment.ofArray(out), x, 0);
      float big = (1 << 20) + 1;
      assertArrayEquals(new float[] {1, 1 + big, 1.5f + big, 2 + big, 5}, out);
      a.free(x);
    }
  }

  @Test
  void launchesGroupsInThreeDimensions() {
    try (CudaAccelerator a = Present.accelerator()) {
      Buffer x = a.allocate(4 * 2 * 3 * 5);
      CudaKernel kernel = a.compile(KernelVariant.of("test", "where_am_i", Map.of()), WHERE);
      Tensor tensor = new Tensor(x, DType.I32, Shape.of(30), 0);
      a.launch(kernel, new Grid(2, 3, 5, 16), new Arguments().add(tensor), null);
      int[] out = new int[30];
      a.download(MemorySegment.ofArray(out), x, 0);
      for (int i = 0; i < 30; i++) {
        assertEquals(16_000_000 + i % 2 * 10_000 + i / 2 % 3 * 100 + i / 6, out[i]);
      }
      a.free(x);
    }
  }

  @Test
  void showsTheBuildLog() {
    try (CudaAccelerator a = Present.accelerator()) {
      KernelVariant broken = KernelVariant.of("test", "broken", Map.of("N", 3));
      String text = "extern \"C\" __global__ void broken(float* x) { x[0] = not_declared; }";
      var e = assertThrows(DeviceException.class, () -> a.compile(broken, text));
      for (String part :
          List.of(
              "nvrtcCompileProgram: NVRTC_ERROR_COMPILATION (6)",
              "kernel broken",
              "--gpu-architecture=compute_86 -DN=3",
              "not_declared")) {
        assertTrue(e.getMessage().contains(part), e.getMessage());
      }
      KernelVariant absent = KernelVariant.of("test", "absent", Map.of());
      String other = "extern \"C\" __global__ void present(float* x) { x[0] = 1; }";
      var f = assertThrows(DeviceException.class, () -> a.compile(absent, other));
      assertTrue(f.getMessage().contains("cuModuleGetFunction"), f.getMessage());
      assertTrue(f.getMessage().contains("CUDA_ERROR_NOT_FOUND (500)"), f.getMessage());
      assertTrue(f.getMessage().contains("absent"), f.getMessage());
      works(a);
    }
  }

  @Test
  void aLaunchThatCannotBeIsAnExceptionAndNothingElse() {
    try (CudaAccelerator a = Present.accelerator()) {
      Buffer x = a.allocate(4);
      CudaKernel add = Kernels.add(a);
      int tooMany = 2 * a.limits().groupSize();
      var e =
          assertThrows(
              DeviceException.class,
              () -> a.launch(add, Grid.of(1, tooMany), Kernels.addTo(x, 1, 2), null));
      assertTrue(
          e.getMessage().startsWith("cuLaunchKernel: CUDA_ERROR_INVALID_VALUE (1) on "),
          e.getMessage());
      assertTrue(e.getMessage().contains("add"), e.getMessage());
      assertTrue(e.getMessage().contains("groups of " + tooMany), e.getMessage());
      Grid greedy = Grid.of(1, 1).withDynamicLocal(1 << 20);
      var f =
          assertThrows(
              DeviceException.class, () -> a.launch(add, greedy, Kernels.addTo(x, 1, 2), null));
      assertTrue(f.getMessage().startsWith("cuFuncSetAttribute: "), f.getMessage());
      assertTrue(f.getMessage().contains("1048576 bytes of shared memory"), f.getMessage());
      Arguments many = new Arguments();
      for (int i = 0; i < 65; i++) {
        many.add(i);
      }
      assertThrows(IllegalArgumentException.class, () -> a.launch(add, Grid.of(1, 1), many, null));
      a.free(x);
      works(a);
    }
  }

  @Test
  void countsTheParametersOfPtx() {
    String ptx = ".visible .entry k(\n\t.param .u64 k_0,\n\t.param .f32 k_1\n)\n{ ret; }";
    assertEquals(2, Modules.parameters(ptx, "k"));
    assertEquals(0, Modules.parameters(".visible .entry k()\n{ ret; }", "k"));
    assertEquals(CudaKernel.UNKNOWN, Modules.parameters(ptx, "other"));
    KernelVariant fill =
        KernelVariant.of("portable", "fill", Map.of("VW", 4, "WG", 32, "Y", "F32"));
    String declared =
        ".visible .entry fill(.param .u64 y, .param .u64 from, .param .u64 n, .param .f32 x)";
    Modules.Shipped shipped = (variant, capability) -> Emulator.ptx(variant) + "//" + declared;
    try (CudaAccelerator a = Present.accelerator(Present.options().withShipped(shipped))) {
      Accelerator.Kernel kernel = a.compile(fill);
      Arguments tooMany = new Arguments().add(1L).add(2L).add(3L);
      var e =
          assertThrows(
              IllegalArgumentException.class,
              () -> a.launch(kernel, Grid.of(1, 32), tooMany, null));
      assertEquals("kernel fill has 4 parameters, found 3 arguments", e.getMessage());
    }
  }

  @Test
  void launchesWithMuchSharedMemory() {
    String text =
        """
        extern "C" __global__ void reverse(float* x, long long from) {
          extern __shared__ float s[];
          s[threadIdx.x * 256] = x[from + threadIdx.x];
          __syncthreads();
          x[from + threadIdx.x] = s[(blockDim.x - 1 - threadIdx.x) * 256];
        }
        """;
    try (CudaAccelerator a = Present.accelerator()) {
      CudaKernel reverse = a.compile(KernelVariant.of("test", "reverse", Map.of()), text);
      Buffer x = a.allocate(64 * 4);
      float[] numbers = new float[64];
      for (int i = 0; i < 64; i++) {
        numbers[i] = i;
      }
      a.upload(x, 0, MemorySegment.ofArray(numbers));
      Grid grid = Grid.of(1, 64).withDynamicLocal(64 << 10);
      Arguments arguments = new Arguments().add(new Tensor(x, DType.F32, Shape.of(64), 0));
      a.launch(reverse, grid, arguments, null);
      a.launch(reverse, grid, arguments, null);
      a.launch(reverse, grid, arguments, null);
      assertEquals(1, Emulator.load().calls("cuFuncSetAttribute"));
      float[] out = new float[64];
      a.download(MemorySegment.ofArray(out), x, 0);
      for (int i = 0; i < 64; i++) {
        assertEquals(63 - i, out[i]);
      }
      a.free(x);
    }
  }

  @Test
  void measuresKernelsWhereAskedTo() {
    List<Long> times = new ArrayList<>();
    try (CudaAccelerator a = Present.accelerator(Present.options(), true)) {
      Buffer x = a.allocate(4);
      CudaKernel add = Kernels.add(a);
      int launches = 1500; // more than are held at a time
      for (int i = 0; i < launches; i++) {
        a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), times::add);
      }
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), null);
      a.synchronize();
      assertEquals(launches, times.size());
      assertTrue(times.stream().allMatch(t -> t > 0 && t < 60_000_000_000L), times.toString());
      assertEquals(2, a.resources().live().get(Kind.EVENT)); // of the pinned pieces
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), times::add); // never told
      a.free(x);
    }
    try (CudaAccelerator a = Present.accelerator()) {
      CudaKernel add = Kernels.add(a);
      Buffer x = a.allocate(4);
      assertThrows(
          IllegalStateException.class,
          () -> a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), times::add));
      a.free(x);
    }
  }

  @Test
  void twoAtOnce() {
    try (CudaAccelerator b = Present.accelerator()) {
      Buffer y = b.allocate(4);
      float[] out = new float[1];
      try (CudaAccelerator a = Present.accelerator()) {
        Buffer x = a.allocate(4);
        CudaKernel addA = Kernels.add(a);
        CudaKernel addB = Kernels.add(b);
        a.upload(x, 0, MemorySegment.ofArray(new float[] {1}));
        b.upload(y, 0, MemorySegment.ofArray(new float[] {10}));
        for (int i = 0; i < 50; i++) {
          a.launch(addA, Grid.of(1, 1), Kernels.addTo(x, 1, 1), null);
          b.launch(addB, Grid.of(1, 1), Kernels.addTo(y, 1, 2), null);
        }
        assertThrows(
            IllegalArgumentException.class,
            () -> a.launch(addB, Grid.of(1, 1), Kernels.addTo(x, 1, 1), null));
        assertThrows(
            IllegalArgumentException.class,
            () -> a.launch(addA, Grid.of(1, 1), Kernels.addTo(y, 1, 1), null));
        a.download(MemorySegment.ofArray(out), x, 0);
        assertEquals(51, out[0]);
      }
      b.download(MemorySegment.ofArray(out), y, 0);
      assertEquals(110, out[0]);
    }
  }

  @Test
  void closingGivesEverythingBack() {
    CudaAccelerator a = Present.accelerator();
    Buffer x = a.allocate(4);
    CudaKernel add = Kernels.add(a);
    CudaKernel closed = Kernels.add(a);
    closed.close();
    closed.close();
    assertThrows(
        IllegalStateException.class,
        () -> a.launch(closed, Grid.of(1, 1), Kernels.addTo(x, 1, 1), null));
    a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 1), null);
    // Memory is the workspace of cuBLAS and ours; the pinned pieces have an event each.
    assertEquals(
        Map.of(
            Kind.CONTEXT,
            1,
            Kind.STREAM,
            1,
            Kind.MEMORY,
            2,
            Kind.PINNED,
            2,
            Kind.MODULE,
            1,
            Kind.EVENT,
            2,
            Kind.CUBLAS,
            1),
        a.resources().live());
    a.close();
    assertEquals(Map.of(), a.resources().live());
    a.close();
    add.close();
    assertThrows(IllegalStateException.class, () -> a.allocate(4));
    assertThrows(IllegalStateException.class, a::synchronize);
    assertThrows(IllegalStateException.class, () -> Kernels.add(a));
  }
}
