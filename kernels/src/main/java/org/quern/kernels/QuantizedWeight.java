package org.quern.kernels;

import org.quern.core.Buffer;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// A weight in blocks of int8, seen by [DeviceMatmul#linear] alone: it is no memory of a device.
///
/// @param shape of the weight, (O, C)
/// @param values four int8 an element, from the beginning of a buffer
/// @param scales F32, one a block
record QuantizedWeight(Shape shape, Tensor values, Tensor scales) implements Buffer {
  @Override
  public long bytes() {
    return values.bytes() + scales.bytes();
  }

  /// Refuses a quantized weight, in every operation but [DeviceMatmul#linear].
  ///
  /// @param op who refuses
  /// @param buffer any
  static void refuse(String op, Buffer buffer) {
    if (buffer instanceof QuantizedWeight weight) {
      throw new IllegalArgumentException(
          ("%s: a quantized weight, here of shape %s, is for linear alone; give the weight that it"
                  + " was made of")
              .formatted(op, weight.shape));
    }
  }

  /// Refuses a part: its blocks would be looked for at the beginning.
  ///
  /// @param tensor over this
  void requireWhole(Tensor tensor) {
    if (!tensor.shape().equals(shape)) {
      throw new IllegalArgumentException(
          "linear: w %s is a part of a quantized weight %s; quantize the part"
              .formatted(tensor.shape(), shape));
    }
  }
}
