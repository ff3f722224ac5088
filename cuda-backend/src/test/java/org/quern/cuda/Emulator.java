package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.fail;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;
import org.quern.kernels.KernelVariant;

/// CUDA on the processor, for tests: a driver, a cuBLAS and an NVRTC over host memory, which run
/// the kernels of this project as g++ compiles them.
///
/// ```java
/// Emulator emulator = Emulator.load(); // before the first use of JCuda
/// ```
///
/// Loads the three libraries by their paths: whatever is loaded later and needs `libcuda.so.1`,
/// `libcublas.so.12` or `libnvrtc.so.12` then gets these.
@SuppressWarnings("restricted")
final class Emulator {
  private static @Nullable Emulator loaded;

  private final Path folder;
  private final MethodHandle reports;

  private Emulator(Path folder) {
    this.folder = folder;
    for (String library : new String[] {"libcuda.so.1", "libcublas.so.12", "libnvrtc.so.12"}) {
      System.load(folder.resolve(library).toString());
    }
    reports = function("cudaEmuReports", FunctionDescriptor.of(ValueLayout.JAVA_LONG));
  }

  /// Builds the emulator if need be, and loads it, once for all tests of this JVM. Without g++ the
  /// test is skipped; where the environment says `CI=true` it fails.
  ///
  /// @return the emulator
  static synchronized Emulator load() {
    if (loaded == null) {
      if (!EmulatorBuild.compilerInstalled()) {
        String text = "g++ is not here: apt-get install g++";
        if ("true".equals(System.getenv("CI"))) {
          fail("CI=true, and " + text);
        }
        Assumptions.abort(text);
      }
      loaded = new Emulator(EmulatorBuild.folder());
    }
    return loaded;
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

  /// {@return where the libraries are: a child process that has this folder in `LD_LIBRARY_PATH`
  /// runs on the emulator too}
  Path folder() {
    return folder;
  }

  /// {@return how many faults of kernels were reported so far: on standard error}
  long reports() {
    try {
      return (long) reports.invokeExact();
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  private static MethodHandle function(String name, FunctionDescriptor descriptor) {
    return Linker.nativeLinker()
        .downcallHandle(SymbolLookup.loaderLookup().findOrThrow(name), descriptor);
  }
}
