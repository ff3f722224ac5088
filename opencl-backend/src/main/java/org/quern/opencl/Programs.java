package org.quern.opencl;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;
import org.lwjgl.PointerBuffer;
import org.lwjgl.opencl.CL10;
import org.lwjgl.system.MemoryStack;
import org.lwjgl.system.MemoryUtil;
import org.quern.core.DeviceException;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.ProgramCache;
import org.quern.opencl.Resources.Kind;

/// Makes kernels: from a program that an earlier run has compiled, else from source.
final class Programs {
  private static final int LONGEST_LOG = 16_384;

  private final CommandQueue queue;
  private final ProgramCache cache;

  Programs(CommandQueue queue, ProgramCache cache) {
    this.queue = queue;
    this.cache = cache;
  }

  /// {@return a new `cl_kernel`, for the caller to release}
  ///
  /// @param variant its name and definitions
  /// @param source its whole text
  /// @throws DeviceException if it does not compile, with the build log
  long kernel(KernelVariant variant, String source) {
    String options = "-cl-std=CL1.2 " + variant.options();
    String key = ProgramCache.key(queue.device().identity(), options, source);
    byte[] binary = cache.get(key);
    if (binary != null) {
      try {
        return kernelOf(fromBinary(binary, options), variant);
      } catch (DeviceException e) {
        cache.remove(key); // the driver does not want it any more
      }
    }
    long program = fromSource(variant, source, options);
    try {
      keep(key, program);
    } catch (DeviceException | OutOfMemoryError e) {
      // The program is there; it only has to be compiled again next time.
    } catch (RuntimeException e) {
      queue.release(Kind.PROGRAM, program);
      throw e;
    }
    return kernelOf(program, variant);
  }

  /// Makes the kernel, which holds on to the program, and releases the program.
  private long kernelOf(long program, KernelVariant variant) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var code = stack.callocInt(1);
      long kernel = CL10.clCreateKernel(program, variant.entry(), code);
      if (code.get(0) != CL10.CL_SUCCESS) {
        throw queue.failure(code.get(0), "clCreateKernel", variant.toString());
      }
      queue.resources().made(Kind.KERNEL);
      return kernel;
    } finally {
      queue.release(Kind.PROGRAM, program);
    }
  }

  private long fromSource(KernelVariant variant, String source, String options) {
    long program;
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var code = stack.callocInt(1);
      program = CL10.clCreateProgramWithSource(queue.context(), source, code);
      queue.made(Kind.PROGRAM, program, code.get(0), "clCreateProgramWithSource");
    }
    build(
        program, options, "kernel %s does not compile with %s".formatted(variant.entry(), options));
    return program;
  }

  private long fromBinary(byte[] binary, String options) {
    ByteBuffer bytes = MemoryUtil.memAlloc(binary.length);
    long program;
    try (MemoryStack stack = MemoryStack.stackPush()) {
      bytes.put(0, binary);
      var code = stack.callocInt(1);
      var status = stack.callocInt(1);
      program =
          CL10.clCreateProgramWithBinary(
              queue.context(), stack.pointers(queue.device().id()), bytes, status, code);
      queue.made(Kind.PROGRAM, program, code.get(0), "clCreateProgramWithBinary");
      if (status.get(0) != CL10.CL_SUCCESS) {
        queue.release(Kind.PROGRAM, program);
        throw queue.failure(status.get(0), "clCreateProgramWithBinary", null);
      }
    } finally {
      MemoryUtil.memFree(bytes);
    }
    build(program, options, "a program from the cache");
    return program;
  }

  /// Builds a program, or releases it.
  private void build(long program, String options, String what) {
    int code = CL10.clBuildProgram(program, queue.device().id(), options, null, 0);
    if (code != CL10.CL_SUCCESS) {
      String log = log(program);
      queue.release(Kind.PROGRAM, program);
      throw queue.failure(code, "clBuildProgram", "%s%n%s".formatted(what, log));
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
        : "%s%n(%d more characters)"
            .formatted(log.substring(0, LONGEST_LOG), log.length() - LONGEST_LOG);
  }

  private void keep(String key, long program) {
    byte[] binary = cache.folder() == null ? null : binary(program);
    if (binary != null) {
      cache.put(key, binary);
    }
  }

  /// {@return what the driver made of a program; null if it does not tell}
  private byte @Nullable [] binary(long program) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      PointerBuffer size = stack.callocPointer(1);
      queue.check(
          CL10.clGetProgramInfo(program, CL10.CL_PROGRAM_BINARY_SIZES, size, null),
          "clGetProgramInfo");
      long bytes = size.get(0);
      if (bytes <= 0 || bytes > ProgramCache.LIMIT) {
        return null;
      }
      ByteBuffer binary = MemoryUtil.memAlloc((int) bytes);
      try {
        PointerBuffer at = stack.pointers(binary);
        queue.check(
            CL10.clGetProgramInfo(program, CL10.CL_PROGRAM_BINARIES, at, null), "clGetProgramInfo");
        byte[] out = new byte[binary.remaining()];
        binary.get(out);
        return out;
      } finally {
        MemoryUtil.memFree(binary);
      }
    }
  }
}
