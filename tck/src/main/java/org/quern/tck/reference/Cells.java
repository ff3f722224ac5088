package org.quern.tck.reference;

import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.quern.core.DType;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// The elements of a tensor by index, checked: reading and writing as the rounding says.
final class Cells {
  private final double[] values;
  private final int offset;
  private final DType dtype;
  private final Rounding rounding;
  private final boolean adds;
  final int count;

  private Cells(Tensor t, Rounding rounding, boolean adds) {
    this.values = ReferenceBuffer.of(t);
    this.offset = Math.toIntExact(t.offset());
    this.dtype = t.dtype();
    this.rounding = rounding;
    this.adds = adds;
    this.count = Math.toIntExact(t.elements());
    Objects.checkFromIndexSize(offset, count, values.length);
  }

  static Cells of(Tensor t, Rounding rounding) {
    return new Cells(t, rounding, false);
  }

  static @Nullable Cells ofNullable(@Nullable Tensor t, Rounding rounding) {
    return t == null ? null : of(t, rounding);
  }

  static Cells of(Sink sink, Rounding rounding) {
    return new Cells(sink.tensor(), rounding, sink.adds());
  }

  static @Nullable Cells ofNullable(@Nullable Sink sink, Rounding rounding) {
    return sink == null ? null : of(sink, rounding);
  }

  double get(int i) {
    return values[offset + Objects.checkIndex(i, count)];
  }

  int getInt(int i) {
    return (int) get(i);
  }

  double[] copy(int from, int length) {
    Objects.checkFromIndexSize(from, length, count);
    return Arrays.copyOfRange(values, offset + from, offset + from + length);
  }

  void set(int i, double x) {
    values[offset + Objects.checkIndex(i, count)] = rounding.store(x, dtype);
  }

  /// Replaces or adds, as the sink says.
  void land(int i, double x) {
    set(i, adds ? rounding.of(get(i) + x) : x);
  }
}
