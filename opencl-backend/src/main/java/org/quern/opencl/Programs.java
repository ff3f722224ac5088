package org.quern.opencl;

import org.lwjgl.opencl.CL10;
import org.lwjgl.system.MemoryStack;
import org.quern.core.DeviceException;
import org.quern.kernels.KernelVariant;
import org.quern.opencl.Resources.Kind;

/// Compiles kernels.
final class Programs {
  private static final int LONGEST_LOG = 16_384;

  private final CommandQueue queue;

  Programs(CommandQueue queue) {
    this.queue = queue;
  }

  /// {@return a new `cl_program`, built, for the caller to release}
  ///
  /// @param variant names it in messages, and gives the options
  /// @param source the whole text
  /// @throws DeviceException if it does not compile, with the build log
  long build(KernelVariant variant, String source) {
    String options = "-cl-std=CL1.2 " + variant.options();
    long program = fromSource(source);
    int code = CL10.clBuildProgram(program, queue.device().id(), options, null, 0);
    if (code != CL10.CL_SUCCESS) {
      String log = log(program);
      queue.release(Kind.PROGRAM, program);
      throw queue.failure(
          code,
          "clBuildProgram",
          "kernel %s does not compile with %s%n%s".formatted(variant.entry(), options, log));
    }
    return program;
  }

  private long fromSource(String source) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var code = stack.callocInt(1);
      long program = CL10.clCreateProgramWithSource(queue.context(), source, code);
      return queue.made(Kind.PROGRAM, program, code.get(0), "clCreateProgramWithSource");
    }
  }

  private String log(long program) {
    String log;
    try {
      log = Queries.buildLog(program, queue.device().id());
    } catch (DeviceException e) {
      return "(no build log: %s)".formatted(e.getMessage());
    }
    if (log.isEmpty()) {
      return "(the build log is empty)";
    }
    return log.length() <= LONGEST_LOG
        ? log
        : log.substring(0, LONGEST_LOG)
            + "%n(%d more characters)".formatted(log.length() - LONGEST_LOG);
  }
}
