package org.quern.opencl;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.lwjgl.opencl.CL;
import org.lwjgl.opencl.CL10;
import org.lwjgl.system.APIUtil;
import org.lwjgl.system.Configuration;
import org.lwjgl.system.FunctionProviderLocal;
import org.lwjgl.system.MemoryUtil;
import org.lwjgl.system.SharedLibrary;
import org.quern.core.Buffer;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.core.Settings;
import org.quern.kernels.Grid;
import org.quern.opencl.Resources.Kind;

/// What becomes of failures that no driver gives on demand: what [FaultsTest] runs in another JVM.
/// Some functions of the OpenCL library are replaced by ones that fail when they are told to. The
/// library has thereby been loaded by someone else than [OpenClLibrary], which must not mind.
@SuppressWarnings("restricted")
final class FaultsRun {
  /// The code that a function answers next, by its name.
  private static final Map<String, Integer> PLANNED = new HashMap<>();

  /// How many buffers are made before a planned failure.
  private static int goodBuffers;

  private FaultsRun() {}

  /// Takes no arguments; fails with an exception.
  public static void main(String[] args) throws ReflectiveOperationException {
    Configuration.OPENCL_EXPLICIT_INIT.set(true);
    Configuration.MEMORY_BACKEND.set("ffm");
    SharedLibrary library = APIUtil.apiCreateLibrary("libOpenCL.so.1");
    CL.create(new Faulty(library, stubs(library)));
    memoryIsUsedUp();
    aCommandFails();
    aKernelFailsOnTheDevice();
    theDeviceIsLost();
    openingFails();
    check(Resources.all().live().isEmpty(), "left behind: " + Resources.all().live());
    System.out.println("all faults were handled");
  }

  private static void check(boolean right, String message) {
    if (!right) {
      throw new AssertionError(message);
    }
  }

  private static OpenClAccelerator open() {
    return OpenClProvider.openAccelerator(0, Settings.load().withProfile(true));
  }

  private static void memoryIsUsedUp() {
    try (OpenClAccelerator a = open()) {
      for (int code :
          new int[] {
            CL10.CL_MEM_OBJECT_ALLOCATION_FAILURE,
            CL10.CL_OUT_OF_RESOURCES,
            CL10.CL_OUT_OF_HOST_MEMORY
          }) {
        for (String call : new String[] {"clCreateBuffer", "clEnqueueMigrateMemObjects"}) {
          PLANNED.put(call, code);
          check(a.allocate(64) == null, call + " answered " + code);
          check(a.resources().live().get(Kind.BUFFER) == 2, "only the pinned ones are left");
          Buffer again = a.allocate(64);
          check(again != null, "memory is there again");
          a.free(again);
        }
      }
      PLANNED.put("clEnqueueMigrateMemObjects", CL10.CL_INVALID_CONTEXT);
      expect(
          "clEnqueueMigrateMemObjects: CL_INVALID_CONTEXT (-34)",
          Effect.DEVICE_LOST,
          () -> a.allocate(64));
    }
  }

  private static void aCommandFails() {
    try (OpenClAccelerator a = open()) {
      Buffer x = a.allocate(64);
      OpenClKernel add = Kernels.add(a);
      PLANNED.put("clEnqueueNDRangeKernel", CL10.CL_MEM_OBJECT_ALLOCATION_FAILURE);
      expect(
          "clEnqueueNDRangeKernel: CL_MEM_OBJECT_ALLOCATION_FAILURE (-4)",
          Effect.OUT_OF_MEMORY,
          () -> a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 1), null));
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 1), null);
      byte[] many = new byte[3 * Staging.CHUNK];
      PLANNED.put("clWaitForEvents", CL10.CL_OUT_OF_RESOURCES);
      Buffer y = a.allocate(many.length);
      expect(
          "CL_OUT_OF_RESOURCES (-5)",
          Effect.DEVICE_LOST,
          () -> a.upload(y, 0, MemorySegment.ofArray(many)));
      PLANNED.put("clWaitForEvents", CL10.CL_OUT_OF_RESOURCES);
      expect(
          "CL_OUT_OF_RESOURCES (-5)",
          Effect.DEVICE_LOST,
          () -> a.download(MemorySegment.ofArray(many), y, 0));
      a.upload(y, 0, MemorySegment.ofArray(many));
      a.download(MemorySegment.ofArray(many), y, 0);
      a.free(x); // and y is left to close
    }
  }

  private static void aKernelFailsOnTheDevice() {
    try (OpenClAccelerator a = open()) {
      Buffer x = a.allocate(64);
      OpenClKernel add = Kernels.add(a);
      int[] told = new int[1];
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 1), nanos -> told[0]++);
      a.launch(add, Grid.of(1, 1), Kernels.addTo(x, 1, 1), nanos -> told[0]++);
      PLANNED.put("clWaitForEvents", CL10.CL_OUT_OF_RESOURCES);
      expect("clWaitForEvents: CL_OUT_OF_RESOURCES (-5)", Effect.DEVICE_LOST, a::synchronize);
      a.synchronize();
      check(told[0] == 1, "the other kernel's time is told");
    }
  }

  private static void theDeviceIsLost() {
    OpenClAccelerator a = open();
    Buffer ignored = a.allocate(64);
    OpenClKernel kernel = Kernels.add(a);
    check(kernel.parameters() == 4, "a kernel that nobody closes");
    PLANNED.put("clFinish", CL10.CL_OUT_OF_RESOURCES);
    expect("clFinish: CL_OUT_OF_RESOURCES (-5)", Effect.DEVICE_LOST, a::synchronize);
    PLANNED.put("clFinish", CL10.CL_OUT_OF_RESOURCES);
    a.close();
    check(Resources.all().live().isEmpty(), "left behind: " + Resources.all().live());
    a.close();
  }

  private static void openingFails() {
    for (int good = 0; good < 2; good++) { // the first pinned piece is refused, or the second
      PLANNED.put("clCreateBuffer", CL10.CL_OUT_OF_HOST_MEMORY);
      goodBuffers = good;
      expect("clCreateBuffer: CL_OUT_OF_HOST_MEMORY (-6)", Effect.OUT_OF_MEMORY, FaultsRun::open);
      check(Resources.all().live().isEmpty(), "left behind: " + Resources.all().live());
    }
  }

  private static void expect(String message, Effect effect, Runnable run) {
    try {
      run.run();
    } catch (DeviceException e) {
      check(e.getMessage().contains(message), e.getMessage());
      check(e.effect() == effect, e.effect() + ": " + e.getMessage());
      return;
    }
    throw new AssertionError("no exception: " + message);
  }

  /// Answers the planned code once, else calls the library.
  static long callBuffer(
      MethodHandle real, long context, long flags, long size, long host, MemorySegment code)
      throws Throwable {
    Integer planned = goodBuffers-- > 0 ? null : PLANNED.remove("clCreateBuffer");
    if (planned != null) {
      code.set(ValueLayout.JAVA_INT, 0, planned);
      return 0;
    }
    return (long) real.invokeExact(context, flags, size, host, code);
  }

  static int callMigrate(
      MethodHandle real, long q, int n, long objects, long flags, int waits, long list, long event)
      throws Throwable {
    Integer planned = PLANNED.remove("clEnqueueMigrateMemObjects");
    return planned != null
        ? planned
        : (int) real.invokeExact(q, n, objects, flags, waits, list, event);
  }

  static int callRange(
      MethodHandle real,
      long q,
      long kernel,
      int dimensions,
      long offset,
      long items,
      long group,
      int waits,
      long list,
      long event)
      throws Throwable {
    Integer planned = PLANNED.remove("clEnqueueNDRangeKernel");
    return planned != null
        ? planned
        : (int) real.invokeExact(q, kernel, dimensions, offset, items, group, waits, list, event);
  }

  static int callWait(MethodHandle real, int n, long events) throws Throwable {
    Integer planned = PLANNED.remove("clWaitForEvents");
    return planned != null ? planned : (int) real.invokeExact(n, events);
  }

  static int callFinish(MethodHandle real, long queue) throws Throwable {
    Integer planned = PLANNED.remove("clFinish");
    return planned != null ? planned : (int) real.invokeExact(queue);
  }

  private static Map<String, Long> stubs(SharedLibrary library)
      throws ReflectiveOperationException {
    MemoryLayout i = ValueLayout.JAVA_INT;
    MemoryLayout l = ValueLayout.JAVA_LONG;
    MemoryLayout code =
        ValueLayout.ADDRESS.withTargetLayout(MemoryLayout.sequenceLayout(1, ValueLayout.JAVA_INT));
    Map<String, Long> out = new HashMap<>();
    stub(out, library, "clCreateBuffer", "callBuffer", l, l, l, l, l, code);
    stub(out, library, "clEnqueueMigrateMemObjects", "callMigrate", i, l, i, l, l, i, l, l);
    stub(out, library, "clEnqueueNDRangeKernel", "callRange", i, l, l, i, l, l, l, i, l, l);
    stub(out, library, "clWaitForEvents", "callWait", i, i, l);
    stub(out, library, "clFinish", "callFinish", i, l);
    return out;
  }

  private static void stub(
      Map<String, Long> out,
      SharedLibrary library,
      String name,
      String with,
      MemoryLayout result,
      MemoryLayout... parameters)
      throws ReflectiveOperationException {
    FunctionDescriptor type = FunctionDescriptor.of(result, parameters);
    MethodHandle real =
        Linker.nativeLinker()
            .downcallHandle(MemorySegment.ofAddress(library.getFunctionAddress(name)), type);
    MethodType java = type.toMethodType().insertParameterTypes(0, MethodHandle.class);
    MethodHandle handle =
        MethodHandles.lookup().findStatic(FaultsRun.class, with, java).bindTo(real);
    out.put(name, Linker.nativeLinker().upcallStub(handle, type, Arena.global()).address());
  }

  /// The library, with some functions replaced.
  private record Faulty(SharedLibrary library, Map<String, Long> stubs)
      implements FunctionProviderLocal {
    @Override
    public long getFunctionAddress(ByteBuffer name) {
      Long stub = stubs.get(MemoryUtil.memASCII(MemoryUtil.memAddress(name)));
      return stub != null ? stub : library.getFunctionAddress(name);
    }

    @Override
    public long getFunctionAddress(long platform, ByteBuffer name) {
      return getFunctionAddress(name);
    }
  }
}
