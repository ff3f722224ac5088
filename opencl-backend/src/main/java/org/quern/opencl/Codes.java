package org.quern.opencl;

import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.lwjgl.opencl.CL10;
import org.lwjgl.opencl.CL11;
import org.lwjgl.opencl.CL12;
import org.lwjgl.opencl.KHRICD;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;

/// The codes that OpenCL functions answer, and the one place that makes an exception of an error.
final class Codes {
  private static final Set<String> WAITING = Set.of("clFinish", "clFlush", "clWaitForEvents");

  /// Some drivers find memory for a buffer only when a command first uses it.
  private static final String NO_MEMORY =
      ". The device has no memory for a buffer that was promised: use a smaller batch or context,"
          + " or lower quern.memory";

  private Codes() {}

  /// Throws unless the code is success.
  ///
  /// @param code what the function answered
  /// @param call the function's name
  /// @param device whom it was about
  static void check(int code, String call, String device) {
    if (code != CL10.CL_SUCCESS) {
      throw failure(code, call, device, null);
    }
  }

  /// {@return the exception for an error}
  ///
  /// @param code what the function answered
  /// @param call the function's name
  /// @param device whom it was about
  /// @param more what else helps: the arguments, a build log; or null
  static DeviceException failure(int code, String call, String device, @Nullable String more) {
    String hint = code == CL10.CL_MEM_OBJECT_ALLOCATION_FAILURE ? NO_MEMORY : "";
    return new DeviceException(
        "%s: %s (%d) on %s%s%s"
            .formatted(call, name(code), code, device, more == null ? "" : ": " + more, hint),
        null,
        effect(code, call));
  }

  /// {@return what an error means for the device}
  ///
  /// An error of a function that waits is one of a command that was queued before. What that
  /// command should have computed is missing, so that whatever the code, nothing can go on from
  /// here.
  ///
  /// @param code what the function answered
  /// @param call the function's name
  static Effect effect(int code, String call) {
    if (WAITING.contains(call)) {
      return Effect.DEVICE_LOST;
    }
    return switch (code) {
      case CL10.CL_DEVICE_NOT_AVAILABLE, CL10.CL_INVALID_CONTEXT, CL10.CL_INVALID_COMMAND_QUEUE ->
          Effect.DEVICE_LOST;
      case CL10.CL_MEM_OBJECT_ALLOCATION_FAILURE, CL10.CL_OUT_OF_HOST_MEMORY ->
          Effect.OUT_OF_MEMORY;
      // Resources include what a kernel needs beside memory, such as registers.
      default -> Effect.CALL_FAILED;
    };
  }

  /// {@return whether a code says that memory is used up}
  ///
  /// @param code of a function that makes a buffer
  static boolean outOfMemory(int code) {
    return code == CL10.CL_MEM_OBJECT_ALLOCATION_FAILURE
        || code == CL10.CL_OUT_OF_RESOURCES
        || code == CL10.CL_OUT_OF_HOST_MEMORY;
  }

  /// {@return the name of a code}
  ///
  /// @param code what a function answered
  static String name(int code) {
    return switch (code) {
      case CL10.CL_SUCCESS -> "CL_SUCCESS";
      case CL10.CL_DEVICE_NOT_FOUND -> "CL_DEVICE_NOT_FOUND";
      case CL10.CL_DEVICE_NOT_AVAILABLE -> "CL_DEVICE_NOT_AVAILABLE";
      case CL10.CL_COMPILER_NOT_AVAILABLE -> "CL_COMPILER_NOT_AVAILABLE";
      case CL10.CL_MEM_OBJECT_ALLOCATION_FAILURE -> "CL_MEM_OBJECT_ALLOCATION_FAILURE";
      case CL10.CL_OUT_OF_RESOURCES -> "CL_OUT_OF_RESOURCES";
      case CL10.CL_OUT_OF_HOST_MEMORY -> "CL_OUT_OF_HOST_MEMORY";
      case CL10.CL_PROFILING_INFO_NOT_AVAILABLE -> "CL_PROFILING_INFO_NOT_AVAILABLE";
      case CL10.CL_MEM_COPY_OVERLAP -> "CL_MEM_COPY_OVERLAP";
      case CL10.CL_BUILD_PROGRAM_FAILURE -> "CL_BUILD_PROGRAM_FAILURE";
      case CL10.CL_MAP_FAILURE -> "CL_MAP_FAILURE";
      case CL11.CL_MISALIGNED_SUB_BUFFER_OFFSET -> "CL_MISALIGNED_SUB_BUFFER_OFFSET";
      case CL11.CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST ->
          "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST";
      case CL12.CL_COMPILE_PROGRAM_FAILURE -> "CL_COMPILE_PROGRAM_FAILURE";
      case CL12.CL_LINKER_NOT_AVAILABLE -> "CL_LINKER_NOT_AVAILABLE";
      case CL12.CL_LINK_PROGRAM_FAILURE -> "CL_LINK_PROGRAM_FAILURE";
      case CL12.CL_KERNEL_ARG_INFO_NOT_AVAILABLE -> "CL_KERNEL_ARG_INFO_NOT_AVAILABLE";
      case CL10.CL_INVALID_VALUE -> "CL_INVALID_VALUE";
      case CL10.CL_INVALID_DEVICE_TYPE -> "CL_INVALID_DEVICE_TYPE";
      case CL10.CL_INVALID_PLATFORM -> "CL_INVALID_PLATFORM";
      case CL10.CL_INVALID_DEVICE -> "CL_INVALID_DEVICE";
      case CL10.CL_INVALID_CONTEXT -> "CL_INVALID_CONTEXT";
      case CL10.CL_INVALID_QUEUE_PROPERTIES -> "CL_INVALID_QUEUE_PROPERTIES";
      case CL10.CL_INVALID_COMMAND_QUEUE -> "CL_INVALID_COMMAND_QUEUE";
      case CL10.CL_INVALID_HOST_PTR -> "CL_INVALID_HOST_PTR";
      case CL10.CL_INVALID_MEM_OBJECT -> "CL_INVALID_MEM_OBJECT";
      case CL10.CL_INVALID_BINARY -> "CL_INVALID_BINARY";
      case CL10.CL_INVALID_BUILD_OPTIONS -> "CL_INVALID_BUILD_OPTIONS";
      case CL10.CL_INVALID_PROGRAM -> "CL_INVALID_PROGRAM";
      case CL10.CL_INVALID_PROGRAM_EXECUTABLE -> "CL_INVALID_PROGRAM_EXECUTABLE";
      case CL10.CL_INVALID_KERNEL_NAME -> "CL_INVALID_KERNEL_NAME";
      case CL10.CL_INVALID_KERNEL_DEFINITION -> "CL_INVALID_KERNEL_DEFINITION";
      case CL10.CL_INVALID_KERNEL -> "CL_INVALID_KERNEL";
      case CL10.CL_INVALID_ARG_INDEX -> "CL_INVALID_ARG_INDEX";
      case CL10.CL_INVALID_ARG_VALUE -> "CL_INVALID_ARG_VALUE";
      case CL10.CL_INVALID_ARG_SIZE -> "CL_INVALID_ARG_SIZE";
      case CL10.CL_INVALID_KERNEL_ARGS -> "CL_INVALID_KERNEL_ARGS";
      case CL10.CL_INVALID_WORK_DIMENSION -> "CL_INVALID_WORK_DIMENSION";
      case CL10.CL_INVALID_WORK_GROUP_SIZE -> "CL_INVALID_WORK_GROUP_SIZE";
      case CL10.CL_INVALID_WORK_ITEM_SIZE -> "CL_INVALID_WORK_ITEM_SIZE";
      case CL10.CL_INVALID_GLOBAL_OFFSET -> "CL_INVALID_GLOBAL_OFFSET";
      case CL10.CL_INVALID_EVENT_WAIT_LIST -> "CL_INVALID_EVENT_WAIT_LIST";
      case CL10.CL_INVALID_EVENT -> "CL_INVALID_EVENT";
      case CL10.CL_INVALID_OPERATION -> "CL_INVALID_OPERATION";
      case CL10.CL_INVALID_BUFFER_SIZE -> "CL_INVALID_BUFFER_SIZE";
      case CL10.CL_INVALID_GLOBAL_WORK_SIZE -> "CL_INVALID_GLOBAL_WORK_SIZE";
      case CL11.CL_INVALID_PROPERTY -> "CL_INVALID_PROPERTY";
      case CL12.CL_INVALID_COMPILER_OPTIONS -> "CL_INVALID_COMPILER_OPTIONS";
      case CL12.CL_INVALID_LINKER_OPTIONS -> "CL_INVALID_LINKER_OPTIONS";
      case KHRICD.CL_PLATFORM_NOT_FOUND_KHR -> "CL_PLATFORM_NOT_FOUND_KHR";
      default -> "unknown code";
    };
  }
}
