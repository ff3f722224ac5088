package org.quern.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;

/// Launches single kernels through the driver's own functions, without the backend around them:
/// what tests of kernels need.
@SuppressWarnings("restricted")
final class CudaLaunch implements AutoCloseable {
  private static final int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;

  private final Emulator emulator = Emulator.load();
  private final Map<KernelVariant, MemorySegment> functions = new HashMap<>();
  private final List<Long> memory = new ArrayList<>();
  private final String reportsBefore = emulator.reports();

  /// Takes the first device.
  CudaLaunch() {
    call("cuInit", 0);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment context = arena.allocate(ADDRESS);
      call("cuDevicePrimaryCtxRetain", context, 0);
      call("cuCtxSetCurrent", context.get(ADDRESS, 0));
    }
  }

  /// {@return the address of new memory with these contents}
  long upload(byte[] bytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = arena.allocate(JAVA_LONG);
      call("cuMemAlloc_v2", address, (long) bytes.length);
      long to = address.get(JAVA_LONG, 0);
      memory.add(to);
      MemorySegment from = arena.allocate(bytes.length);
      from.copyFrom(MemorySegment.ofArray(bytes));
      call("cuMemcpyHtoD_v2", to, from, (long) bytes.length);
      return to;
    }
  }

  /// {@return what is in memory}
  byte[] download(long address, int size) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment to = arena.allocate(size);
      call("cuMemcpyDtoH_v2", to, address, (long) size);
      return to.toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
    }
  }

  /// Launches a kernel and waits for it.
  ///
  /// @param arguments each a [DeviceArray], which is two parameters, or a number
  void launch(KernelVariant variant, Grid grid, Object... arguments) {
    MemorySegment function = functions.computeIfAbsent(variant, CudaLaunch::load);
    try (Arena arena = Arena.ofConfined()) {
      List<MemorySegment> parameters = new ArrayList<>();
      for (Object argument : arguments) {
        switch (argument) {
          case DeviceArray array -> {
            parameters.add(arena.allocateFrom(JAVA_LONG, array.address()));
            parameters.add(arena.allocateFrom(JAVA_LONG, array.offset()));
          }
          case Long n -> parameters.add(arena.allocateFrom(JAVA_LONG, n));
          case Integer n -> parameters.add(arena.allocateFrom(JAVA_INT, n));
          case Float n -> parameters.add(arena.allocateFrom(JAVA_FLOAT, n));
          default -> throw new IllegalArgumentException(argument.toString());
        }
      }
      MemorySegment list = arena.allocate(ADDRESS, parameters.size());
      for (int i = 0; i < parameters.size(); i++) {
        list.setAtIndex(ADDRESS, i, parameters.get(i));
      }
      int shared = grid.dynamicLocalBytes();
      call("cuFuncSetAttribute", function, MAX_DYNAMIC_SHARED_SIZE_BYTES, shared);
      MemorySegment none = MemorySegment.NULL;
      call(
          "cuLaunchKernel",
          function,
          grid.x(),
          grid.y(),
          grid.z(),
          grid.groupSize(),
          1,
          1,
          shared,
          none,
          list,
          none);
      call("cuCtxSynchronize");
    }
    if (!emulator.reports().equals(reportsBefore)) {
      throw new AssertionError(variant + ": the emulator reports faults on standard error");
    }
  }

  private static MemorySegment load(KernelVariant variant) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment module = arena.allocate(ADDRESS);
      call("cuModuleLoadData", module, arena.allocateFrom(Emulator.ptx(variant)));
      MemorySegment function = arena.allocate(ADDRESS);
      call(
          "cuModuleGetFunction",
          function,
          module.get(ADDRESS, 0),
          arena.allocateFrom(variant.entry()));
      return function.get(ADDRESS, 0);
    }
  }

  private static void call(String name, Object... arguments) {
    MemoryLayout[] layouts =
        Arrays.stream(arguments)
            .map(
                a ->
                    switch (a) {
                      case Integer _ -> JAVA_INT;
                      case Long _ -> JAVA_LONG;
                      default -> ADDRESS;
                    })
            .toArray(MemoryLayout[]::new);
    MethodHandle function =
        Linker.nativeLinker()
            .downcallHandle(
                SymbolLookup.loaderLookup().findOrThrow(name),
                FunctionDescriptor.of(JAVA_INT, layouts));
    int code;
    try {
      code = (int) function.invokeWithArguments(arguments);
    } catch (Throwable e) {
      throw new AssertionError(name, e);
    }
    if (code != 0) {
      throw new AssertionError(name + " answers " + code);
    }
  }

  /// Gives the memory back, in which the emulator looks for what was written beside an array.
  @Override
  public void close() {
    memory.forEach(address -> call("cuMemFree_v2", address));
    memory.clear();
  }
}
