package org.quern.cuda;

import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.cuda.Resources.Kind;

/// A hold on a device's primary context with one stream in it, and the count of all that is made in
/// them.
///
/// The primary context is the one that a process shares: cuBLAS works in it, and so does whatever
/// else in this process uses CUDA. A thread that calls us has it as its current context afterwards.
final class CommandStream implements AutoCloseable {
  /// How many of these hold the primary context of each device.
  private static final Map<Integer, Integer> HOLDS = new HashMap<>();

  private final CudaDevice device;
  private final Resources resources = new Resources();
  private final CUdevice handle = new CUdevice();
  private final CUcontext context = new CUcontext();
  private final CUstream stream = new CUstream();
  private boolean lost;

  /// Makes both.
  ///
  /// @param device where
  CommandStream(CudaDevice device) {
    this.device = device;
    check(JCudaDriver.cuDeviceGet(handle, device.ordinal()), "cuDeviceGet");
    retain();
    try {
      makeCurrent();
      // It does not wait for what others do in the default stream.
      check(
          JCudaDriver.cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING),
          "cuStreamCreate");
      resources.made(Kind.STREAM);
    } catch (DeviceException e) {
      release();
      throw e;
    }
  }

  private void retain() {
    synchronized (HOLDS) {
      check(JCudaDriver.cuDevicePrimaryCtxRetain(context, handle), "cuDevicePrimaryCtxRetain");
      HOLDS.merge(device.ordinal(), 1, Integer::sum);
      resources.made(Kind.CONTEXT);
    }
  }

  /// A context in which a kernel has failed stays unusable for as long as anyone holds it, and
  /// libraries hold it to the end of the process. Nobody in the process can use it, so that our
  /// last hold takes it down: what is opened next gets a new one.
  private void release() {
    synchronized (HOLDS) {
      int ignored = JCudaDriver.cuDevicePrimaryCtxRelease(handle);
      resources.released(Kind.CONTEXT);
      if (HOLDS.merge(device.ordinal(), -1, Integer::sum) == 0 && lost) {
        ignored = JCudaDriver.cuDevicePrimaryCtxReset(handle);
      }
    }
  }

  CudaDevice device() {
    return device;
  }

  Resources resources() {
    return resources;
  }

  /// {@return the stream, for calls that queue something}
  CUstream handle() {
    return stream;
  }

  /// Makes the context the current one of this thread, which all but a few functions of the driver
  /// want. Whatever else runs in this thread may have made another one current, so that it is done
  /// whenever the driver is called anew: it takes less than a tenth of a microsecond.
  void makeCurrent() {
    check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
  }

  /// Throws unless the code is success.
  ///
  /// @param code what a function of the driver answered
  /// @param call its name
  void check(int code, String call) {
    if (code != 0) {
      throw failure(code, call, null);
    }
  }

  /// {@return the exception for an error}
  ///
  /// @param code what a function of the driver answered
  /// @param call its name
  /// @param more what else helps, or null
  DeviceException failure(int code, String call, @Nullable String more) {
    DeviceException e = Codes.failure(code, call, device.name(), more);
    lost |= e.effect() == Effect.DEVICE_LOST;
    return e;
  }

  /// Waits for all work.
  void synchronize() {
    check(JCudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
  }

  /// Gives both back. What was made in them has been given back before. A driver that does not want
  /// them is ignored: there is nothing that anyone could do.
  @Override
  public void close() {
    int ignored = JCudaDriver.cuStreamDestroy(stream);
    resources.released(Kind.STREAM);
    release();
  }
}
