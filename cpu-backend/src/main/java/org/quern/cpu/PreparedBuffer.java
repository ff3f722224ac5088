package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.quern.core.Precision;
import org.quern.core.Tensor;

/// A weight as the kernels' products read it, beside the weight itself: only the first is read, the
/// second is for whoever asks for the elements.
final class PreparedBuffer extends CpuBuffer {
  private final Tensor weight;
  private final MemorySegment prepared;
  private final Precision precision;

  /// Pairs a weight with what was made of it.
  ///
  /// @param weight (O, C)
  /// @param prepared the memory, in a layout that the kernels know
  /// @param precision of the numbers there
  PreparedBuffer(Tensor weight, MemorySegment prepared, Precision precision) {
    super(CpuBuffer.of(weight));
    this.weight = weight;
    this.prepared = prepared;
    this.precision = precision;
  }

  /// {@return the prepared weight of a tensor, or null where it has none, as a part of one has}
  static @Nullable PreparedBuffer orNull(Tensor w) {
    return w.buffer() instanceof PreparedBuffer p
            && w.offset() == p.weight.offset()
            && w.shape().equals(p.weight.shape())
        ? p
        : null;
  }

  /// {@return the weight, to be used like the one that it was made of}
  Tensor tensor() {
    return new Tensor(this, weight.dtype(), weight.shape(), weight.offset());
  }

  MemorySegment prepared() {
    return prepared;
  }

  Precision precision() {
    return precision;
  }
}
