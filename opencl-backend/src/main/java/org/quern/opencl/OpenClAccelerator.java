package org.quern.opencl;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.lwjgl.PointerBuffer;
import org.lwjgl.opencl.CL10;
import org.lwjgl.opencl.CL12;
import org.lwjgl.system.MemoryStack;
import org.quern.core.Buffer;
import org.quern.core.DeviceException;
import org.quern.core.DeviceInfo;
import org.quern.core.Settings;
import org.quern.kernels.Accelerator;
import org.quern.kernels.Arguments;
import org.quern.kernels.Arguments.Argument;
import org.quern.kernels.DeviceLimits;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.ProgramCache;
import org.quern.opencl.Resources.Kind;

/// An OpenCL device: a context, one in-order queue, and what was made in them.
final class OpenClAccelerator implements Accelerator {
  private static final System.Logger LOG = System.getLogger(OpenClAccelerator.class.getName());

  /// Some drivers keep launches to themselves until they are told to hand them on.
  private static final int LAUNCHES_BEFORE_FLUSH = 16;

  private final CommandQueue queue;
  private final boolean profile;
  private final Staging staging;
  private final Timings timings;
  private final Programs programs;
  private final Set<OpenClBuffer> buffers = new HashSet<>();
  private final Set<OpenClKernel> kernels = new HashSet<>();
  private int unflushed;
  private boolean closed;

  /// Opens a device.
  ///
  /// @param device which
  /// @param settings `profile` decides whether kernels can be timed
  /// @throws DeviceException if the driver does not want to
  OpenClAccelerator(OpenClDevice device, Settings settings) {
    this(device, settings, ProgramCache.standard("opencl"));
  }

  /// Opens a device.
  ///
  /// @param device which
  /// @param settings `profile` decides whether kernels can be timed
  /// @param cache keeps compiled kernels
  OpenClAccelerator(OpenClDevice device, Settings settings, ProgramCache cache) {
    profile = settings.profile();
    queue = new CommandQueue(device, profile);
    try {
      staging = new Staging(queue);
    } catch (RuntimeException e) {
      queue.close();
      throw e;
    }
    timings = new Timings(queue);
    programs = new Programs(queue, cache);
  }

  @Override
  public DeviceInfo device() {
    return queue.device().info();
  }

  @Override
  public DeviceLimits limits() {
    return queue.device().limits();
  }

  /// {@return what the driver holds for this}
  Resources resources() {
    return queue.resources();
  }

  @Override
  public @Nullable Buffer allocate(long bytes) {
    checkOpen();
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var code = stack.callocInt(1);
      long handle = CL10.clCreateBuffer(queue.context(), CL10.CL_MEM_READ_WRITE, bytes, code);
      if (Codes.outOfMemory(code.get(0))) {
        return null;
      }
      if (code.get(0) != CL10.CL_SUCCESS) {
        throw queue.failure(
            code.get(0),
            "clCreateBuffer",
            "%d bytes; the largest single buffer is said to be %d"
                .formatted(bytes, limits().bufferBytes()));
      }
      resources().made(Kind.BUFFER);
      // Drivers may wait for a first use before they look for memory. This is one, so that the
      // answer comes here, where the caller can still give up something else.
      int migrated =
          CL12.clEnqueueMigrateMemObjects(
              queue.handle(),
              stack.pointers(handle),
              CL12.CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED,
              null,
              null);
      if (migrated != CL10.CL_SUCCESS) {
        queue.release(Kind.BUFFER, handle);
        if (Codes.outOfMemory(migrated)) {
          return null;
        }
        throw queue.failure(migrated, "clEnqueueMigrateMemObjects", null);
      }
      OpenClBuffer buffer = new OpenClBuffer(this, handle, bytes);
      buffers.add(buffer);
      return buffer;
    }
  }

  @Override
  public void free(Buffer buffer) {
    checkOpen();
    OpenClBuffer mine = mine(buffer);
    queue.release(Kind.BUFFER, mine.take()); // the driver waits for commands that use it
    buffers.remove(mine);
  }

  @Override
  public void upload(Buffer target, long at, MemorySegment source) {
    checkOpen();
    staging.upload(mine(target).handle(), at, source);
  }

  @Override
  public void download(MemorySegment target, Buffer source, long at) {
    checkOpen();
    staging.download(target, mine(source).handle(), at);
    unflushed = 0;
  }

  @Override
  public void copy(Buffer target, long to, Buffer source, long from, long bytes) {
    checkOpen();
    if (bytes == 0) {
      return; // which OpenCL takes for an error
    }
    int code =
        CL10.clEnqueueCopyBuffer(
            queue.handle(),
            mine(source).handle(),
            mine(target).handle(),
            from,
            to,
            bytes,
            null,
            null);
    queue.check(code, "clEnqueueCopyBuffer");
  }

  @Override
  public Kernel compile(KernelVariant variant) {
    return compile(variant, variant.source());
  }

  /// {@return a kernel, like [#compile(KernelVariant)]}
  ///
  /// @param variant its name and definitions
  /// @param source its whole text
  OpenClKernel compile(KernelVariant variant, String source) {
    checkOpen();
    long handle = programs.kernel(variant, source);
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var parameters = stack.callocInt(1);
      int code = CL10.clGetKernelInfo(handle, CL10.CL_KERNEL_NUM_ARGS, parameters, null);
      if (code != CL10.CL_SUCCESS) {
        queue.release(Kind.KERNEL, handle);
        throw queue.failure(code, "clGetKernelInfo", variant.toString());
      }
      OpenClKernel kernel = new OpenClKernel(this, variant, handle, parameters.get(0));
      kernels.add(kernel);
      return kernel;
    }
  }

  /// Gives a kernel back.
  void release(OpenClKernel kernel, long handle) {
    queue.release(Kind.KERNEL, handle);
    kernels.remove(kernel);
  }

  /// {@inheritDoc}
  ///
  /// @throws IllegalArgumentException if the number of arguments is wrong: OpenCL would take what
  ///   is missing from the launch before
  /// @throws IllegalStateException if a time is asked for while `quern.profile` is off
  @Override
  public void launch(Kernel kernel, Grid grid, Arguments arguments, @Nullable LongConsumer timed) {
    checkOpen();
    OpenClKernel mine = mine(kernel);
    if (timed != null && !profile) {
      throw new IllegalStateException(
          "kernels can be timed only where quern.profile is set when the backend is opened");
    }
    List<Argument> list = arguments.list();
    if (list.size() != mine.parameters()) {
      throw new IllegalArgumentException(
          "kernel %s has %d parameters, found %d arguments"
              .formatted(mine.variant().entry(), mine.parameters(), list.size()));
    }
    for (int i = 0; i < list.size(); i++) {
      int code = set(mine.handle(), i, list.get(i));
      if (code != CL10.CL_SUCCESS) {
        throw queue.failure(
            code, "clSetKernelArg", "argument %d, %s, of %s".formatted(i, list.get(i), mine));
      }
    }
    enqueue(mine, grid, timed);
  }

  private int set(long kernel, int index, Argument argument) {
    return switch (argument) {
      case Argument.Pointer p -> CL10.clSetKernelArg1p(kernel, index, mine(p.buffer()).handle());
      case Argument.Int32 n -> CL10.clSetKernelArg1i(kernel, index, n.value());
      case Argument.Int64 n -> CL10.clSetKernelArg1l(kernel, index, n.value());
      case Argument.Float32 x -> CL10.clSetKernelArg1f(kernel, index, x.value());
    };
  }

  private void enqueue(OpenClKernel kernel, Grid grid, @Nullable LongConsumer timed) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      PointerBuffer items = stack.pointers((long) grid.x() * grid.groupSize(), grid.y(), grid.z());
      PointerBuffer group = stack.pointers(grid.groupSize(), 1, 1);
      PointerBuffer event = timed == null ? null : stack.callocPointer(1);
      int code =
          CL10.clEnqueueNDRangeKernel(
              queue.handle(), kernel.handle(), 3, null, items, group, null, event);
      if (code != CL10.CL_SUCCESS) {
        throw queue.failure(
            code,
            "clEnqueueNDRangeKernel",
            "%s on %d x %d x %d groups of %d"
                .formatted(kernel, grid.x(), grid.y(), grid.z(), grid.groupSize()));
      }
      if (timed != null && event != null) {
        timings.add(event.get(0), kernel.variant().entry(), timed);
      }
    }
    if (++unflushed >= LAUNCHES_BEFORE_FLUSH) {
      queue.flush();
      unflushed = 0;
    }
  }

  @Override
  public void synchronize() {
    checkOpen();
    queue.finish();
    unflushed = 0;
    timings.settle();
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      queue.finish();
    } catch (DeviceException e) {
      // Nobody waits for the results any more. What the driver holds is given back all the same.
      LOG.log(System.Logger.Level.WARNING, "closing: {0}", e.getMessage());
    }
    timings.close();
    new ArrayList<>(kernels).forEach(OpenClKernel::close);
    buffers.forEach(b -> queue.release(Kind.BUFFER, b.take()));
    buffers.clear();
    staging.close();
    queue.close();
  }

  private OpenClBuffer mine(Buffer buffer) {
    if (buffer instanceof OpenClBuffer b && b.owner() == this) {
      return b;
    }
    throw new IllegalArgumentException(
        "a buffer of another backend, %s, was given to %s".formatted(buffer, this));
  }

  private OpenClKernel mine(Kernel kernel) {
    if (kernel instanceof OpenClKernel k && k.owner() == this) {
      return k;
    }
    throw new IllegalArgumentException(
        "a kernel of another backend, %s, was given to %s".formatted(kernel, this));
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException(this + " is closed");
    }
  }

  @Override
  public String toString() {
    return "OpenCL on " + queue.device().name();
  }
}
