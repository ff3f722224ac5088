package org.quern.opencl;

import java.nio.ByteBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import org.jspecify.annotations.Nullable;
import org.lwjgl.PointerBuffer;
import org.lwjgl.opencl.CL10;
import org.lwjgl.system.MemoryStack;
import org.lwjgl.system.MemoryUtil;

/// Asks platforms, devices and programs about themselves.
final class Queries {
  private Queries() {}

  /// A query of the driver in two steps: first the size, then the value.
  @FunctionalInterface
  private interface Query {
    int ask(@Nullable ByteBuffer value, @Nullable PointerBuffer size);
  }

  /// {@return a platform's text}
  ///
  /// @param platform a `cl_platform_id`
  /// @param key such as `CL_PLATFORM_NAME`
  static String platform(long platform, int key) {
    return text(
        "clGetPlatformInfo",
        "a platform",
        (value, size) -> CL10.clGetPlatformInfo(platform, key, value, size));
  }

  /// {@return a device's text}
  ///
  /// @param device a `cl_device_id`
  /// @param key such as `CL_DEVICE_NAME`
  static String device(long device, int key) {
    return text(
        "clGetDeviceInfo",
        "a device",
        (value, size) -> CL10.clGetDeviceInfo(device, key, value, size));
  }

  /// {@return what the compiler said about a program}
  ///
  /// @param program a `cl_program`
  /// @param device a `cl_device_id`
  static String buildLog(long program, long device) {
    return text(
        "clGetProgramBuildInfo",
        "a program",
        (value, size) ->
            CL10.clGetProgramBuildInfo(program, device, CL10.CL_PROGRAM_BUILD_LOG, value, size));
  }

  private static String text(String call, String whom, Query query) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      PointerBuffer size = stack.mallocPointer(1);
      Codes.check(query.ask(null, size), call, whom);
      ByteBuffer bytes = MemoryUtil.memAlloc(Math.toIntExact(size.get(0)));
      try {
        Codes.check(query.ask(bytes, null), call, whom);
        // The terminating zero is counted; some drivers pad with more, or with blanks.
        return MemoryUtil.memUTF8(bytes).replace("\0", "").strip();
      } finally {
        MemoryUtil.memFree(bytes);
      }
    }
  }

  /// {@return a device's number of the type `cl_uint` or `cl_bool`}
  ///
  /// @param device a `cl_device_id`
  /// @param key such as `CL_DEVICE_MAX_COMPUTE_UNITS`
  static int int32(long device, int key) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      IntBuffer value = stack.callocInt(1);
      Codes.check(CL10.clGetDeviceInfo(device, key, value, null), "clGetDeviceInfo", "a device");
      return value.get(0);
    }
  }

  /// {@return a device's number of the type `cl_ulong` or of a bit field}
  ///
  /// @param device a `cl_device_id`
  /// @param key such as `CL_DEVICE_GLOBAL_MEM_SIZE`
  static long int64(long device, int key) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      LongBuffer value = stack.callocLong(1);
      Codes.check(CL10.clGetDeviceInfo(device, key, value, null), "clGetDeviceInfo", "a device");
      return value.get(0);
    }
  }

  /// {@return the first of a device's numbers of the type `size_t`}
  ///
  /// @param device a `cl_device_id`
  /// @param key such as `CL_DEVICE_MAX_WORK_GROUP_SIZE`
  static long size(long device, int key) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      PointerBuffer value = stack.callocPointer(16);
      Codes.check(CL10.clGetDeviceInfo(device, key, value, null), "clGetDeviceInfo", "a device");
      return value.get(0);
    }
  }
}
