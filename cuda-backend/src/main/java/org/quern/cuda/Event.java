package org.quern.cuda;

import jcuda.driver.CUevent;
import jcuda.driver.JCudaDriver;
import org.quern.cuda.Resources.Kind;

/// A point in a stream that can be waited for.
final class Event implements AutoCloseable {
  private final CommandStream stream;
  private final CUevent handle = new CUevent();

  /// Makes one that has not been recorded.
  ///
  /// @param stream where it will be
  /// @param flags of `CUevent_flags`
  Event(CommandStream stream, int flags) {
    this.stream = stream;
    stream.check(JCudaDriver.cuEventCreate(handle, flags), "cuEventCreate");
    stream.resources().made(Kind.EVENT);
  }

  /// Sets the point behind all that is queued.
  void record() {
    stream.check(JCudaDriver.cuEventRecord(handle, stream.handle()), "cuEventRecord");
  }

  /// Waits for the device to reach the point.
  void await() {
    stream.check(JCudaDriver.cuEventSynchronize(handle), "cuEventSynchronize");
  }

  /// {@return the nanoseconds from an earlier point to this one, which has been waited for}
  ///
  /// @param start the earlier one
  long nanosSince(Event start) {
    float[] millis = new float[1];
    stream.check(
        JCudaDriver.cuEventElapsedTime(millis, start.handle, handle), "cuEventElapsedTime");
    return (long) (millis[0] * 1e6);
  }

  @Override
  public void close() {
    int ignored = JCudaDriver.cuEventDestroy(handle);
    stream.resources().released(Kind.EVENT);
  }
}
