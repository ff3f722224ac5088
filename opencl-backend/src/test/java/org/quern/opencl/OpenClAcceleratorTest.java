package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.quern.core.Buffer;
import org.quern.core.DType;
import org.quern.core.DeviceException;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.Arguments;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;
import org.quern.opencl.Resources.Kind;

/// Kernels of a device, and its end.
class OpenClAcceleratorTest {
  private static final String EVERY_KIND =
      """
      __kernel void every_kind(__global float* x, long from, int n, long added, float factor) {
        int i = get_global_id(0);
        if (i < n) x[from + i] = x[from + i] * factor + added + PLUS;
      }
      """;

  private static final String WHERE =
      """
      __kernel void where_am_i(__global int* x, long from) {
        if (get_local_id(0) != get_local_size(0) - 1) return;
        int group = get_group_id(0) + get_num_groups(0)
            * (get_group_id(1) + get_num_groups(1) * get_group_id(2));
        x[from + group] = get_local_size(0) * 1000000 + get_group_id(0) * 10000
            + get_group_id(1) * 100 + get_group_id(2);
      }
      """;

  @AfterEach
  void nothingIsLeft() {
    assertEquals(Map.of(), Resources.all().live());
  }

  private static void works(OpenClAccelerator a) {
    Buffer x = a.allocate(4);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {1}));
    try (OpenClKernel add = Kernels.add(a)) {
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), null);
    }
    float[] out = new float[1];
    a.download(MemorySegment.ofArray(out), x, 0);
    assertEquals(3, out[0]);
    a.free(x);
  }

  @Test
  void launchesWithEveryKindOfArgument() {
    try (OpenClAccelerator a = Present.open()) {
      Buffer x = a.allocate(400);
      a.upload(x, 0, MemorySegment.ofArray(new float[] {1, 2, 3, 4, 5}));
      KernelVariant variant = KernelVariant.of("test", "every_kind", Map.of("PLUS", 1));
      OpenClKernel kernel = a.compile(variant, EVERY_KIND);
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
    try (OpenClAccelerator a = Present.open()) {
      Buffer x = a.allocate(4 * 2 * 3 * 5);
      OpenClKernel kernel = a.compile(KernelVariant.of("test", "where_am_i", Map.of()), WHERE);
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
    try (OpenClAccelerator a = Present.open()) {
      KernelVariant broken = KernelVariant.of("test", "broken", Map.of("N", 3));
      String text = "__kernel void broken(__global float* x) { x[0] = not_declared; }";
      var e = assertThrows(DeviceException.class, () -> a.compile(broken, text));
      for (String part :
          List.of(
              "clBuildProgram: CL_BUILD_PROGRAM_FAILURE (-11)",
              "kernel broken",
              "-cl-std=CL1.2 -DN=3",
              a.device().name(),
              "not_declared")) {
        assertTrue(e.getMessage().contains(part), e.getMessage());
      }
      KernelVariant absent = KernelVariant.of("test", "absent", Map.of());
      var f =
          assertThrows(
              DeviceException.class, () -> a.compile(absent, "__kernel void present() {}"));
      assertTrue(f.getMessage().contains("CL_INVALID_KERNEL_NAME (-46)"), f.getMessage());
      assertTrue(f.getMessage().contains("absent"), f.getMessage());
      works(a);
    }
  }

  @Test
  void aLaunchThatCannotBeIsAnExceptionAndNothingElse() {
    try (OpenClAccelerator a = Present.open()) {
      Buffer x = a.allocate(4);
      OpenClKernel add = Kernels.add(a);
      int tooMany = 2 * a.limits().groupSize();
      var e =
          assertThrows(
              DeviceException.class,
              () -> a.launch(add, Grid.of(1, tooMany), Kernels.addTo(x, 1, 2), null));
      assertTrue(
          e.getMessage().startsWith("clEnqueueNDRangeKernel: CL_INVALID_WORK_"), e.getMessage());
      assertTrue(e.getMessage().contains("add"), e.getMessage());
      assertTrue(e.getMessage().contains("groups of " + tooMany), e.getMessage());
      Arguments wrongType = new Arguments().add(new Tensor(x, DType.F32, Shape.of(1), 0));
      var f =
          assertThrows(
              DeviceException.class,
              () -> a.launch(add, Grid.of(1, 1), wrongType.add(1L).add(2f), null));
      assertTrue(
          f.getMessage().contains("clSetKernelArg: CL_INVALID_ARG_SIZE (-51)"), f.getMessage());
      assertTrue(f.getMessage().contains("argument 2"), f.getMessage());
      Arguments tooFew = new Arguments().add(new Tensor(x, DType.F32, Shape.of(1), 0));
      assertThrows(
          IllegalArgumentException.class, () -> a.launch(add, Grid.of(1, 1), tooFew, null));
      a.free(x);
      works(a);
    }
  }

  @Test
  void measuresKernelsWhereAskedTo() {
    List<Long> times = new ArrayList<>();
    try (OpenClAccelerator a = Present.open(Settings.load().withProfile(true))) {
      Buffer x = a.allocate(4);
      OpenClKernel add = Kernels.add(a);
      int launches = 1500; // more than are held at a time
      for (int i = 0; i < launches; i++) {
        a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), times::add);
      }
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), null);
      a.synchronize();
      assertEquals(launches, times.size());
      assertTrue(times.stream().allMatch(t -> t > 0 && t < 60_000_000_000L), times.toString());
      assertEquals(null, a.resources().live().get(Kind.EVENT));
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), times::add); // never told
      a.free(x);
    }
    try (OpenClAccelerator a = Present.open()) {
      OpenClKernel add = Kernels.add(a);
      Buffer x = a.allocate(4);
      assertThrows(
          IllegalStateException.class,
          () -> a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 2), times::add));
      a.free(x);
    }
  }

  @Test
  void twoAtOnce() {
    try (OpenClAccelerator b = Present.open()) {
      Buffer y = b.allocate(4);
      float[] out = new float[1];
      try (OpenClAccelerator a = Present.open()) {
        Buffer x = a.allocate(4);
        OpenClKernel addA = Kernels.add(a);
        OpenClKernel addB = Kernels.add(b);
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
    OpenClAccelerator a = Present.open();
    Buffer x = a.allocate(4);
    OpenClKernel add = Kernels.add(a);
    OpenClKernel closed = Kernels.add(a);
    closed.close();
    closed.close();
    assertThrows(
        IllegalStateException.class,
        () -> a.launch(closed, Grid.of(1, 1), Kernels.addTo(x, 1, 1), null));
    a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 1), null);
    // Two buffers are the pinned ones.
    assertEquals(
        Map.of(Kind.CONTEXT, 1, Kind.QUEUE, 1, Kind.BUFFER, 3, Kind.KERNEL, 1),
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
