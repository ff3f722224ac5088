package org.quern.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.quern.kernels.KernelVariant;

/// CUDA on the processor, for tests: a driver, a cuBLAS and an NVRTC over host memory, which run
/// the kernels of this project as g++ compiles them.
///
/// ```java
/// Emulator emulator = Emulator.load(); // before the first use of JCuda
/// emulator.reset();
/// emulator.fail(Emulator.DEVICE_ALLOCATION, 3, 2); // the third allocation from now on: out of memory
/// ... // use the backend
/// assertEquals("", emulator.live());
/// assertEquals("", emulator.reports());
/// ```
///
/// Loads the three libraries by their paths: whatever is loaded later and needs `libcuda.so.1`,
/// `libcublas.so.12` or `libnvrtc.so.12` then gets these. One emulator serves all tests of a JVM;
/// tests that share it must not run at the same time.
@SuppressWarnings("restricted")
final class Emulator {
  /// For [#fail]: any allocation of device memory, `cuMemAlloc` or `cuMemAllocAsync`.
  static final String DEVICE_ALLOCATION = "device allocation";

  /// For [#fail]: any allocation of pinned host memory.
  static final String PINNED_ALLOCATION = "pinned allocation";

  /// For [#fail]: `cuLaunchKernel` answers the code.
  static final String LAUNCH = "kernel launch";

  /// For [#fail]: the kernel fails while it runs, on its own or in a graph, and the device is lost.
  static final String EXECUTION = "kernel execution";

  private static @Nullable Emulator loaded;

  private final Path folder;
  private final NativeCalls calls = new NativeCalls();

  private Emulator(Path folder) {
    this.folder = folder;
    for (Library library : Library.values()) {
      System.load(folder.resolve(library.file).toString());
    }
  }

  /// What the emulator is made of.
  enum Library {
    DRIVER("libcuda.so.1"),
    CUBLAS("libcublas.so.12"),
    NVRTC("libnvrtc.so.12");

    final String file;

    Library(String file) {
      this.file = file;
    }
  }

  /// What the emulated machine is like, and how it behaves; see `source/facts.h`.
  enum Fact {
    /// How many there are; 0: `cuInit` answers 100.
    DEVICES,
    /// The driver's version, 12060 for 12.6; decides which PTX is too new (222).
    DRIVER,
    /// Compute capability, 86 for 8.6.
    CAPABILITY,
    /// Bytes of a device.
    MEMORY,
    /// 0: no stream-ordered allocation.
    POOLS,
    /// 1: kernels of modules that are loaded from now on are compiled with checks.
    CHECK,
    /// Of blocks, warps and lanes: 0 forward, 1 backward, others are seeds of random orders.
    ORDER,
    /// When `cp.async` moves its bytes: 0 at the wait, 1 at once, others at random.
    ASYNC_COPY,
    /// How `mma` adds: 0 term by term in f32, 1 exactly, 2 truncating.
    PRODUCT,
    /// 1: queued work runs only when somebody waits for it.
    LAZY,
    /// The most blocks of a launch that run, for what is not about results; 0: all.
    BLOCKS,
    /// 1: accesses to memory are counted, see [Emulator#profile].
    PROFILE,
    /// 1: a thread that ends before a barrier of its block is an error.
    STRICT_BARRIERS,
    /// 0: reports do not go to standard error.
    PRINT,
    /// 1: every launch is printed, with its time.
    VERBOSE,
    /// The process's exit code when something is left at its end; 0: none.
    LEAK_EXIT_CODE,
    /// The process's exit code when something was reported; 0: none.
    REPORT_EXIT_CODE;

    /// {@return the name by which the emulator knows it}
    String key() {
      return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /// {@return the environment variable that sets it for a process}
    String variable() {
      return "QUERN_EMULATOR_" + name();
    }
  }

  /// What the host can hold, and must give back.
  enum Kind {
    CONTEXT,
    DEVICE,
    PINNED,
    MODULE,
    STREAM,
    EVENT,
    GRAPH,
    EXEC,
    CUBLAS,
    PROGRAM
  }

  /// Builds the emulator if need be, and loads it, once for all tests of this JVM. Without g++ the
  /// test is skipped; where the environment says `CI=true` it fails.
  ///
  /// @return the emulator
  static synchronized Emulator load() {
    if (loaded == null) {
      loaded = new Emulator(build());
    }
    return loaded;
  }

  /// Builds the emulator if need be, for a child process that is to run on it. As [#load] without
  /// g++.
  ///
  /// @return the folder of the libraries, for `LD_LIBRARY_PATH`
  static Path build() {
    if (!EmulatorBuild.compilerInstalled()) {
      String text = "g++ is not here: apt-get install g++";
      if ("true".equals(System.getenv("CI"))) {
        throw new AssertionError("CI=true, and " + text);
      }
      Assumptions.abort(text);
    }
    return EmulatorBuild.folder();
  }

  /// {@return a folder with some of the libraries only, for a child process on a machine that lacks
  /// the others}
  ///
  /// @param libraries which
  static Path folderWith(Library... libraries) {
    return EmulatorBuild.folderWith(build(), libraries);
  }

  /// {@return the environment that makes a child process find the emulator}
  ///
  /// @param folder from [#build] or [#folderWith]
  /// @param facts what its machine is like
  static Map<String, String> environment(Path folder, Map<Fact, Long> facts) {
    Map<String, String> all =
        facts.entrySet().stream()
            .collect(Collectors.toMap(e -> e.getKey().variable(), e -> e.getValue().toString()));
    all.put("LD_LIBRARY_PATH", folder.toString());
    return all;
  }

  /// {@return a PTX text that names a variant, as the shipped ones do, and has no code: the
  /// emulator compiles the kernel's own text}
  ///
  /// @param variant any
  static String ptx(KernelVariant variant) {
    String definitions =
        variant.definitions().entrySet().stream()
            .map(e -> " %s=%s".formatted(e.getKey(), e.getValue()))
            .collect(Collectors.joining());
    return """
    // quern %s/%s%s
    .version 7.0
    .target sm_75
    .address_size 64
    """
        .formatted(variant.folder(), variant.entry(), definitions);
  }

  /// Compiles kernels ahead of their modules, with checks if [Fact#CHECK] is set, as many at once
  /// as there are processors: a test that needs hundreds is done sooner. What is compiled already
  /// costs nothing.
  ///
  /// @param variants which
  /// @throws IllegalArgumentException with the compiler's messages, if one does not compile
  void compile(Collection<KernelVariant> variants) {
    variants.parallelStream()
        .map(Emulator::ptx)
        .forEach(
            ptx -> {
              try (Arena arena = Arena.ofConfined()) {
                String log = calls.text("emu_build", arena.allocateFrom(ptx));
                if (!log.isEmpty()) {
                  throw new IllegalArgumentException(
                      ptx.lines().findFirst().orElse("") + "\n" + log);
                }
              }
            });
  }

  /// {@return where the libraries are}
  Path folder() {
    return folder;
  }

  /// Sets a fact, until the next [#reset].
  ///
  /// @param fact which
  /// @param value see there
  void set(Fact fact, long value) {
    try (Arena arena = Arena.ofConfined()) {
      if (calls.result("emu_set", arena.allocateFrom(fact.key()), value) != 0) {
        throw new IllegalArgumentException(fact.toString());
      }
    }
  }

  /// Facts, failures, counts and reports are as at the beginning. What the host holds, it still
  /// holds.
  void reset() {
    calls.run("emu_reset");
  }

  /// Makes one use of a function, or of one of the names above, fail.
  ///
  /// @param name such as `cuMemcpyHtoDAsync`, or `cublasSgemm`
  /// @param nth which use from now on, the next one being 1
  /// @param code a `CUresult`, or what else the function answers
  void fail(String name, long nth, int code) {
    fail(name, nth, code, 1);
  }

  /// Makes some uses fail, one after the other.
  ///
  /// @param name as above
  /// @param nth the first of them
  /// @param code what they answer
  /// @param times how many; 0: all from there on
  void fail(String name, long nth, int code, long times) {
    try (Arena arena = Arena.ofConfined()) {
      calls.run("emu_fail", arena.allocateFrom(name), nth, code, times);
    }
  }

  /// The device fails now: every call answers this code, such as 700 or 719, until its context
  /// ends.
  ///
  /// @param code a `CUresult`
  void loseDevice(int code) {
    calls.run("emu_lose_device", code);
  }

  /// {@return how many calls the host has made of all three libraries since the last reset}
  long calls() {
    return calls("");
  }

  /// {@return how often a function was called since the last reset}
  ///
  /// @param name of the function, or one of the names above
  long calls(String name) {
    try (Arena arena = Arena.ofConfined()) {
      return calls.count("emu_calls", arena.allocateFrom(name));
    }
  }

  /// {@return what was called how often since the last reset, a line each}
  String callTable() {
    return calls.text("emu_call_table");
  }

  /// {@return how many objects of a kind the host holds, or has left to a context that ended}
  ///
  /// @param kind which
  long live(Kind kind) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocateFrom(kind.name().toLowerCase(Locale.ROOT));
      return calls.count("emu_live", name);
    }
  }

  /// {@return what the host holds, such as `device 3, stream 1`; empty when it has given back all}
  String live() {
    return calls.text("emu_live_text");
  }

  /// {@return the bytes of device memory that the host holds}
  long deviceBytes() {
    return calls.count("emu_device_bytes");
  }

  /// {@return what went wrong in kernels and in calls since the last reset, a line each; empty if
  /// nothing did}
  String reports() {
    return calls.text("emu_reports");
  }

  /// {@return bank conflicts, sectors and instructions by line of each kernel's text, where
  /// [Fact#PROFILE] is set}
  String profile() {
    return calls.text("emu_profile");
  }

  /// Adds kernels to those of the project: `folder/entry.cu` below this folder, without a prelude
  /// unless there is one.
  ///
  /// @param root the folder
  void addKernels(Path root) {
    try (Arena arena = Arena.ofConfined()) {
      calls.run("emu_add_kernels", arena.allocateFrom(root.toString()));
    }
  }
}
