package org.quern.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// The first device of the emulator, used directly through the driver's functions: for tests of the
/// emulator itself, and of kernels alone. Calls that fail end the test; those that a test wants to
/// see fail go through [#call].
///
/// ```java
/// try (EmulatedDevice device = EmulatedDevice.open(Emulator.load())) {
///   MemorySegment add = device.function(Emulator.ptx(variant), "add");
///   long x = device.upload(1f, 2f, 3f);
///   long y = device.allocate(12);
///   device.launch(add, 1, 32, 0, y, 0L, x, 0L, x, 0L, 3L);
///   float[] sums = device.download(y, 3);
/// }
/// ```
final class EmulatedDevice implements AutoCloseable {
  private final NativeCalls calls = new NativeCalls();
  private final Arena arena = Arena.ofShared();
  private final MemorySegment out = arena.allocate(ADDRESS);
  private final List<Long> allocations = new ArrayList<>();
  private final List<MemorySegment> modules = new ArrayList<>();

  private EmulatedDevice() {
    check("cuInit", 0);
    check("cuDevicePrimaryCtxRetain", out(), 0);
    check("cuCtxSetCurrent", last());
  }

  /// {@return the device, with its context current in this thread}
  ///
  /// @param emulator that is loaded
  static EmulatedDevice open(Emulator emulator) {
    emulator.reports(); // it is there
    return new EmulatedDevice();
  }

  /// {@return where a function may put one handle, or up to 8 bytes; [#last] has it}
  MemorySegment out() {
    return out;
  }

  /// {@return the handle that the last call put into [#out]}
  MemorySegment last() {
    return out.get(ADDRESS, 0);
  }

  /// {@return memory that lives as long as this device}
  Arena arena() {
    return arena;
  }

  /// {@return what a function of the driver, cuBLAS or NVRTC answers}
  ///
  /// @param name with its version, as in `cuMemAlloc_v2`
  /// @param arguments of the types `Integer`, `Long`, `Float` and `MemorySegment`
  int call(String name, Object... arguments) {
    return calls.result(name, arguments);
  }

  /// As [#call], which must answer 0.
  void check(String name, Object... arguments) {
    assertEquals(0, call(name, arguments), name);
  }

  /// {@return a kernel}
  ///
  /// @param ptx text
  /// @param entry its name
  MemorySegment function(String ptx, String entry) {
    check("cuModuleLoadData", out, arena.allocateFrom(ptx));
    MemorySegment module = last();
    modules.add(module);
    check("cuModuleGetFunction", out, module, arena.allocateFrom(entry));
    return last();
  }

  /// {@return device memory}
  ///
  /// @param bytes its size
  long allocate(long bytes) {
    check("cuMemAlloc_v2", out, bytes);
    long address = out.get(JAVA_LONG, 0);
    allocations.add(address);
    return address;
  }

  /// {@return device memory with these numbers}
  ///
  /// @param values f32
  long upload(float... values) {
    return upload(arena.allocateFrom(JAVA_FLOAT, values));
  }

  /// {@return device memory with these numbers}
  ///
  /// @param values i32
  long upload(int... values) {
    return upload(arena.allocateFrom(JAVA_INT, values));
  }

  /// {@return device memory with these bytes}
  ///
  /// @param values native memory
  long upload(MemorySegment values) {
    long address = allocate(values.byteSize());
    check("cuMemcpyHtoD_v2", address, values, values.byteSize());
    return address;
  }

  /// {@return numbers from device memory}
  ///
  /// @param address of the first
  /// @param count how many
  float[] download(long address, int count) {
    MemorySegment host = arena.allocate(JAVA_FLOAT, count);
    check("cuMemcpyDtoH_v2", host, address, host.byteSize());
    return host.toArray(JAVA_FLOAT);
  }

  /// {@return numbers from device memory}
  ///
  /// @param address of the first
  /// @param count how many
  int[] downloadInts(long address, int count) {
    MemorySegment host = arena.allocate(JAVA_INT, count);
    check("cuMemcpyDtoH_v2", host, address, host.byteSize());
    return host.toArray(JAVA_INT);
  }

  /// Launches a kernel, and waits for it; both must answer 0.
  ///
  /// @param function from [#function]
  /// @param blocks along x
  /// @param threads of a block
  /// @param shared bytes of dynamic shared memory
  /// @param arguments of the types `Integer`, `Long` (pointers too) and `Float`
  void launch(MemorySegment function, int blocks, int threads, int shared, Object... arguments) {
    assertEquals(0, tryLaunch(function, blocks, threads, shared, arguments), "cuLaunchKernel");
    check("cuCtxSynchronize");
  }

  /// {@return what `cuLaunchKernel` answers, on the default stream}
  ///
  /// @param function from [#function]
  /// @param blocks along x
  /// @param threads of a block
  /// @param shared bytes of dynamic shared memory
  /// @param arguments as of [#launch]
  int tryLaunch(MemorySegment function, int blocks, int threads, int shared, Object... arguments) {
    return launchOn(MemorySegment.NULL, function, blocks, threads, shared, arguments);
  }

  /// {@return what `cuLaunchKernel` answers}
  ///
  /// @param stream a handle
  /// @param function from [#function]
  /// @param blocks along x
  /// @param threads of a block
  /// @param shared bytes of dynamic shared memory
  /// @param arguments as of [#launch]
  int launchOn(
      MemorySegment stream,
      MemorySegment function,
      int blocks,
      int threads,
      int shared,
      Object... arguments) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment pointers = parameters(scratch, arguments);
      return call(
          "cuLaunchKernel",
          function,
          blocks,
          1,
          1,
          threads,
          1,
          1,
          shared,
          stream,
          pointers,
          MemorySegment.NULL);
    }
  }

  /// {@return the array of pointers to arguments that the driver wants}
  ///
  /// @param scratch where it lies
  /// @param arguments as of [#launch]
  static MemorySegment parameters(Arena scratch, Object... arguments) {
    MemorySegment pointers = scratch.allocate(ADDRESS, Math.max(1, arguments.length));
    for (int i = 0; i < arguments.length; i++) {
      MemorySegment value =
          switch (arguments[i]) {
            case Integer v -> scratch.allocateFrom(JAVA_INT, v);
            case Long v -> scratch.allocateFrom(JAVA_LONG, v);
            case Float v -> scratch.allocateFrom(JAVA_FLOAT, v);
            case MemorySegment v -> v; // a struct
            default -> throw new IllegalArgumentException(arguments[i].getClass().toString());
          };
      pointers.setAtIndex(ADDRESS, i, value);
    }
    return pointers;
  }

  /// Gives all back, whether the device has failed or not.
  @Override
  public void close() {
    allocations.forEach(address -> call("cuMemFree_v2", address));
    modules.forEach(module -> call("cuModuleUnload", module));
    call("cuCtxSetCurrent", MemorySegment.NULL);
    check("cuDevicePrimaryCtxRelease_v2", 0);
    arena.close();
  }
}
