package org.quern.tck.reference;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.quern.core.Buffer;
import org.quern.core.Tensor;

/// Numbers in float64, one for each element of the smallest storage that fits the bytes asked for.
final class ReferenceBuffer implements Buffer {
  private static final int SMALLEST_ELEMENT = 2;

  private final long bytes;
  private double @Nullable [] values;

  ReferenceBuffer(long bytes) {
    this.bytes = bytes;
    this.values = new double[Math.toIntExact(bytes / SMALLEST_ELEMENT)];
    poison();
  }

  @Override
  public long bytes() {
    return bytes;
  }

  void poison() {
    Arrays.fill(values(), Double.NaN);
  }

  void free() {
    values = null;
  }

  private double[] values() {
    double[] v = values;
    if (v == null) {
      throw new IllegalStateException("this tensor's memory was given back to the device");
    }
    return v;
  }

  /// {@return the numbers that hold a tensor, from its offset on}
  ///
  /// @param t a tensor of the reference
  /// @throws IllegalArgumentException if it is of another backend
  static double[] of(Tensor t) {
    if (t.buffer() instanceof ReferenceBuffer b) {
      return b.values();
    }
    throw new IllegalArgumentException(
        "a tensor of another backend was handed to the reference: "
            + t.buffer().getClass().getName());
  }
}
