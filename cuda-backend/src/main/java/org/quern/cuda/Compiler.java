package org.quern.cuda;

import java.util.ArrayList;
import java.util.List;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;
import org.jspecify.annotations.Nullable;
import org.quern.core.DeviceException;
import org.quern.kernels.KernelVariant;

/// Compiles a kernel's text to PTX by NVRTC, which is no part of a driver.
final class Compiler {
  /// The newest that every NVRTC of CUDA 12 knows; newer devices take its PTX too.
  private static final int NEWEST = 90;

  private static final int LONGEST_LOG = 16_384;

  private Compiler() {}

  /// {@return the compiler's version, such as 12.6}
  static String version() {
    int[] major = new int[1];
    int[] minor = new int[1];
    check(JNvrtc.nvrtcVersion(major, minor), "nvrtcVersion", "");
    return "%d.%d".formatted(major[0], minor[0]);
  }

  /// {@return the options that a variant is compiled with}
  ///
  /// @param variant its definitions
  /// @param capability of the device
  static List<String> options(KernelVariant variant, int capability) {
    List<String> out = new ArrayList<>();
    out.add("--gpu-architecture=compute_" + Math.min(capability, NEWEST));
    variant.definitions().forEach((name, value) -> out.add("-D%s=%s".formatted(name, value)));
    return out;
  }

  /// {@return the PTX of a kernel}
  ///
  /// @param variant names the kernel
  /// @param source its whole text
  /// @param options for the compiler
  /// @throws DeviceException if it does not compile, with the build log
  static String compile(KernelVariant variant, String source, List<String> options) {
    nvrtcProgram program = new nvrtcProgram();
    check(
        JNvrtc.nvrtcCreateProgram(program, source, variant.entry() + ".cu", 0, null, null),
        "nvrtcCreateProgram",
        variant.toString());
    try {
      int result =
          JNvrtc.nvrtcCompileProgram(program, options.size(), options.toArray(String[]::new));
      if (result != nvrtcResult.NVRTC_SUCCESS) {
        check(
            result,
            "nvrtcCompileProgram",
            "kernel %s does not compile with %s%n%s"
                .formatted(variant.entry(), String.join(" ", options), log(program)));
      }
      String[] ptx = new String[1];
      check(JNvrtc.nvrtcGetPTX(program, ptx), "nvrtcGetPTX", variant.toString());
      return ptx[0];
    } finally {
      int ignored = JNvrtc.nvrtcDestroyProgram(program);
    }
  }

  private static String log(nvrtcProgram program) {
    String[] log = new String[1];
    int result = JNvrtc.nvrtcGetProgramLog(program, log);
    return result == nvrtcResult.NVRTC_SUCCESS
        ? shortened(log[0])
        : "(no build log: %s)".formatted(nvrtcResult.stringFor(result));
  }

  /// {@return a build log, without its end where it is very long}
  ///
  /// @param log as a compiler gave it, or null
  static String shortened(@Nullable String log) {
    String text = log == null ? "" : log.replace("\0", "").strip();
    if (text.isEmpty()) {
      return "(the build log is empty)";
    }
    return text.length() <= LONGEST_LOG
        ? text
        : "%s%n(%d more characters)"
            .formatted(text.substring(0, LONGEST_LOG), text.length() - LONGEST_LOG);
  }

  private static void check(int result, String call, String more) {
    if (result != nvrtcResult.NVRTC_SUCCESS) {
      throw new DeviceException(
          "%s: %s (%d): %s".formatted(call, nvrtcResult.stringFor(result), result, more), null);
    }
  }
}
