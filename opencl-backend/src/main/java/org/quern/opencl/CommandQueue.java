package org.quern.opencl;

import org.jspecify.annotations.Nullable;
import org.lwjgl.PointerBuffer;
import org.lwjgl.opencl.CL10;
import org.lwjgl.system.MemoryStack;
import org.quern.core.DeviceException;
import org.quern.opencl.Resources.Kind;

/// A context with one in-order queue, and the count of all that is made in it.
final class CommandQueue implements AutoCloseable {
  private final OpenClDevice device;
  private final Resources resources = new Resources();
  private long context;
  private long queue;

  /// Makes both.
  ///
  /// @param device where
  /// @param profile whether events tell times
  CommandQueue(OpenClDevice device, boolean profile) {
    this.device = device;
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var code = stack.callocInt(1);
      PointerBuffer properties = stack.pointers(CL10.CL_CONTEXT_PLATFORM, device.platform(), 0);
      context = CL10.clCreateContext(properties, device.id(), null, 0, code);
      check(code.get(0), "clCreateContext");
      resources.made(Kind.CONTEXT);
      long flags = profile ? CL10.CL_QUEUE_PROFILING_ENABLE : 0;
      queue = CL10.clCreateCommandQueue(context, device.id(), flags, code);
      if (code.get(0) != CL10.CL_SUCCESS) {
        release(Kind.CONTEXT, context);
      }
      check(code.get(0), "clCreateCommandQueue");
      resources.made(Kind.QUEUE);
    }
  }

  OpenClDevice device() {
    return device;
  }

  Resources resources() {
    return resources;
  }

  /// {@return the `cl_context`}
  long context() {
    return context;
  }

  /// {@return the `cl_command_queue`}
  long handle() {
    return queue;
  }

  /// Throws unless the code is success.
  ///
  /// @param code what the function answered
  /// @param call the function's name
  void check(int code, String call) {
    Codes.check(code, call, device.name());
  }

  /// {@return the exception for an error}
  ///
  /// @param code what the function answered
  /// @param call the function's name
  /// @param more what else helps, or null
  DeviceException failure(int code, String call, @Nullable String more) {
    return Codes.failure(code, call, device.name(), more);
  }

  /// {@return a new object, counted}
  ///
  /// @param kind what it is
  /// @param handle what the function returned
  /// @param code what it answered
  /// @param call its name
  long made(Kind kind, long handle, int code, String call) {
    check(code, call);
    resources.made(kind);
    return handle;
  }

  /// Gives back what [#made] counted. A driver that does not want it is ignored: there is nothing
  /// that anyone could do, and the failure that led here is the one to tell.
  ///
  /// @param kind what it is
  /// @param handle 0 for none
  void release(Kind kind, long handle) {
    if (handle == 0) {
      return;
    }
    int ignored =
        switch (kind) {
          case CONTEXT -> CL10.clReleaseContext(handle);
          case QUEUE -> CL10.clReleaseCommandQueue(handle);
          case BUFFER -> CL10.clReleaseMemObject(handle);
          case PROGRAM -> CL10.clReleaseProgram(handle);
          case KERNEL -> CL10.clReleaseKernel(handle);
          case EVENT -> CL10.clReleaseEvent(handle);
        };
    resources.released(kind);
  }

  /// Hands what is queued to the device, without waiting.
  void flush() {
    check(CL10.clFlush(queue), "clFlush");
  }

  /// Waits for all work.
  void finish() {
    check(CL10.clFinish(queue), "clFinish");
  }

  /// Waits for a command.
  ///
  /// @param event the command's
  void await(long event) {
    int code = CL10.clWaitForEvents(event);
    if (code == CL10.CL_SUCCESS) {
      return;
    }
    int status = status(event);
    throw failure(status < 0 ? status : code, "clWaitForEvents", "a command failed on the device");
  }

  /// {@return how far a command is: negative if it failed}
  private static int status(long event) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var status = stack.callocInt(1);
      int code = CL10.clGetEventInfo(event, CL10.CL_EVENT_COMMAND_EXECUTION_STATUS, status, null);
      return code == CL10.CL_SUCCESS ? status.get(0) : code;
    }
  }

  /// Gives both back. What was made in them has been given back before.
  @Override
  public void close() {
    release(Kind.QUEUE, queue);
    release(Kind.CONTEXT, context);
    queue = 0;
    context = 0;
  }
}
