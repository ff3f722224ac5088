package org.quern.kernels;

import org.quern.core.Buffer;
import org.quern.core.Tensor;

/// A weight in blocks of int8, seen by [DeviceMatmul#linear] alone: any other operation refuses it,
/// since it is no memory of a device.
///
/// @param values four int8 an element, from the beginning of a buffer
/// @param scales F32, one a block
record QuantizedWeight(Tensor values, Tensor scales) implements Buffer {
  @Override
  public long bytes() {
    return values.bytes() + scales.bytes();
  }
}
