package org.quern.opencl;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.LongConsumer;
import org.lwjgl.opencl.CL10;
import org.lwjgl.system.MemoryStack;
import org.quern.opencl.Resources.Kind;

/// The kernels whose times someone waits for.
final class Timings implements AutoCloseable {
  /// Drivers slow down when many events are alive.
  private static final int MOST = 1024;

  /// A kernel in flight.
  private record Pending(long event, String kernel, LongConsumer told) {}

  private final CommandQueue queue;
  private final Deque<Pending> pending = new ArrayDeque<>();

  Timings(CommandQueue queue) {
    this.queue = queue;
  }

  /// Takes a kernel's event over.
  void add(long event, String kernel, LongConsumer told) {
    queue.resources().made(Kind.EVENT);
    pending.add(new Pending(event, kernel, told));
    if (pending.size() > MOST) {
      tell(pending.remove());
    }
  }

  /// Waits for all kernels and tells their times.
  void settle() {
    while (!pending.isEmpty()) {
      tell(pending.remove());
    }
  }

  private void tell(Pending kernel) {
    long nanos;
    try {
      queue.await(kernel.event);
      nanos =
          stamp(kernel, CL10.CL_PROFILING_COMMAND_END)
              - stamp(kernel, CL10.CL_PROFILING_COMMAND_START);
    } finally {
      queue.release(Kind.EVENT, kernel.event);
    }
    kernel.told.accept(nanos);
  }

  private long stamp(Pending kernel, int which) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var value = stack.callocLong(1);
      int code = CL10.clGetEventProfilingInfo(kernel.event, which, value, null);
      if (code != CL10.CL_SUCCESS) {
        throw queue.failure(code, "clGetEventProfilingInfo", kernel.kernel);
      }
      return value.get(0);
    }
  }

  /// Forgets what was not told.
  @Override
  public void close() {
    pending.forEach(p -> queue.release(Kind.EVENT, p.event));
    pending.clear();
  }
}
