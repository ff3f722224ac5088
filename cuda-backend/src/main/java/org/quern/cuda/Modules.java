package org.quern.cuda;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;
import org.jspecify.annotations.Nullable;
import org.quern.core.Availability.Missing;
import org.quern.core.DeviceException;
import org.quern.cuda.Resources.Kind;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.ProgramCache;

/// Makes modules: of the PTX that comes with Quern, else of what NVRTC makes of a kernel's text.
/// The driver makes the device's own code of either, and keeps that from run to run.
final class Modules {
  private static final int LOG_BYTES = 16_384;

  /// Where kernels come ready-made.
  @FunctionalInterface
  interface Shipped {
    /// {@return the PTX of a variant, or null}
    ///
    /// @param variant of a kernel
    /// @param capability of the device, such as 86
    @Nullable String ptx(KernelVariant variant, int capability);
  }

  private final CommandStream stream;
  private final ProgramCache cache;
  private final Shipped shipped;
  private final Map<KernelVariant, Boolean> offers = new ConcurrentHashMap<>(); // asked at any time

  Modules(CommandStream stream, ProgramCache cache, Shipped shipped) {
    this.stream = stream;
    this.cache = cache;
    this.shipped = shipped;
  }

  /// {@return whether there is PTX of a variant, or a compiler for it}
  ///
  /// @param variant of a kernel
  boolean offers(KernelVariant variant) {
    return offers.computeIfAbsent(
        variant, v -> Libraries.nvrtc() == null || shipped.ptx(v, capability()) != null);
  }

  private int capability() {
    return stream.device().capability();
  }

  /// {@return a kernel, for the caller to close}
  ///
  /// @param owner where it will run
  /// @param variant which
  /// @throws DeviceException if there is neither PTX nor a compiler, or the driver does not take it
  CudaKernel load(CudaAccelerator owner, KernelVariant variant) {
    String ptx = shipped.ptx(variant, capability());
    return ptx != null ? module(owner, variant, ptx) : compiled(owner, variant, variant.source());
  }

  /// {@return a kernel of a text, for the caller to close}
  ///
  /// @param owner where it will run
  /// @param variant its name and definitions
  /// @param source its whole text
  /// @throws DeviceException if it does not compile, with the build log
  CudaKernel compiled(CudaAccelerator owner, KernelVariant variant, String source) {
    Missing missing = Libraries.nvrtc();
    if (missing != null) {
      throw new DeviceException(
          "kernel %s does not come ready-made, and %s; %s"
              .formatted(variant.label(), missing.reason(), missing.remedy()),
          missing.cause());
    }
    List<String> options = Compiler.options(variant, capability());
    String key =
        ProgramCache.key(
            Compiler.version(), stream.device().identity(), String.join(" ", options), source);
    byte[] kept = cache.get(key);
    if (kept != null) {
      try {
        return module(owner, variant, new String(kept, StandardCharsets.UTF_8));
      } catch (DeviceException e) {
        cache.remove(key); // the driver does not want it any more
      }
    }
    String ptx = Compiler.compile(variant, source, options);
    CudaKernel kernel = module(owner, variant, ptx);
    cache.put(key, ptx.getBytes(StandardCharsets.UTF_8));
    return kernel;
  }

  private CudaKernel module(CudaAccelerator owner, KernelVariant variant, String ptx) {
    byte[] text = ptx.getBytes(StandardCharsets.UTF_8);
    CUmodule module = new CUmodule();
    JITOptions options = new JITOptions();
    options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, new byte[LOG_BYTES]);
    options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, LOG_BYTES);
    int code =
        JCudaDriver.cuModuleLoadDataJIT(
            module, Pointer.to(Arrays.copyOf(text, text.length + 1)), options);
    if (code != CUresult.CUDA_SUCCESS) {
      String log = options.getString(CUjit_option.CU_JIT_ERROR_LOG_BUFFER);
      throw stream.failure(code, "cuModuleLoadDataEx", explained(code, variant, log));
    }
    stream.resources().made(Kind.MODULE);
    CUfunction function = new CUfunction();
    CudaKernel kernel =
        new CudaKernel(owner, variant, module, function, parameters(ptx, variant.entry()));
    code = JCudaDriver.cuModuleGetFunction(function, module, variant.entry());
    if (code != CUresult.CUDA_SUCCESS) {
      kernel.unload(stream);
      throw stream.failure(code, "cuModuleGetFunction", variant.toString());
    }
    return kernel;
  }

  /// {@return how many parameters the PTX of a kernel declares; unknown where it has no such kernel
  /// in plain text}
  ///
  /// @param ptx the text
  /// @param entry the kernel's name
  static int parameters(String ptx, String entry) {
    Matcher found =
        Pattern.compile("\\.entry\\s+%s\\s*\\(([^)]*)\\)".formatted(entry)).matcher(ptx);
    return found.find()
        ? (int) Pattern.compile("\\.param\\b").matcher(found.group(1)).results().count()
        : CudaKernel.UNKNOWN;
  }

  private String explained(int code, KernelVariant variant, String log) {
    String remedy =
        switch (code) {
          case CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION ->
              "; the driver is older than the compiler that made this: update the driver, or, if"
                  + " it was NVRTC, use one that is no newer than the driver";
          case CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU ->
              "; this is made for newer GPUs than compute capability %d.%d: use"
                      .formatted(capability() / 10, capability() % 10)
                  + " -Dquern.backend=cpu";
          case CUresult.CUDA_ERROR_JIT_COMPILER_NOT_FOUND ->
              "; the driver's compiler is missing: install libnvidia-ptxjitcompiler of the same"
                  + " release";
          default -> "";
        };
    return "kernel %s%s%n%s".formatted(variant.label(), remedy, Compiler.shortened(log));
  }
}
