package org.quern.cuda;

import jcuda.driver.CUdeviceptr;

/// A device address, both as JCuda wants it and as the number that it is.
final class Address extends CUdeviceptr {
  private static final CUdeviceptr ZERO = new CUdeviceptr();

  /// {@return what JCuda takes for an address}
  ///
  /// @param value the number
  static CUdeviceptr of(long value) {
    return ZERO.withByteOffset(value);
  }

  /// {@return the number that the driver has filled in}
  long value() {
    return getNativePointer();
  }
}
