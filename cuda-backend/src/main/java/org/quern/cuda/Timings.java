package org.quern.cuda;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.LongConsumer;
import jcuda.driver.CUevent_flags;
import org.quern.core.DeviceException;

/// The work whose times someone waits for.
final class Timings implements AutoCloseable {
  private static final int MOST = 1024;

  /// Work in flight, between two points of the stream.
  private record Pending(Event start, Event end, LongConsumer told) {
    void close() {
      start.close();
      end.close();
    }
  }

  private final CommandStream stream;
  private final Deque<Pending> pending = new ArrayDeque<>();

  Timings(CommandStream stream) {
    this.stream = stream;
  }

  /// Queues work between two points.
  ///
  /// @param work queues it
  /// @param told hears its nanoseconds, at the latest in the next [#settle]
  void measure(Runnable work, LongConsumer told) {
    Event start = event();
    Event end;
    try {
      end = event();
    } catch (DeviceException e) {
      start.close();
      throw e;
    }
    Pending measured = new Pending(start, end, told);
    try {
      start.record();
      work.run();
      end.record();
    } catch (RuntimeException e) {
      measured.close();
      throw e;
    }
    pending.add(measured);
    if (pending.size() > MOST) {
      tell(pending.remove());
    }
  }

  private Event event() {
    return new Event(stream, CUevent_flags.CU_EVENT_DEFAULT);
  }

  /// Waits for all work and tells its times.
  void settle() {
    while (!pending.isEmpty()) {
      tell(pending.remove());
    }
  }

  private void tell(Pending work) {
    long nanos;
    try {
      work.end.await();
      nanos = work.end.nanosSince(work.start);
    } finally {
      work.close();
    }
    work.told.accept(nanos);
  }

  /// Forgets what was not told.
  @Override
  public void close() {
    pending.forEach(Pending::close);
    pending.clear();
  }
}
