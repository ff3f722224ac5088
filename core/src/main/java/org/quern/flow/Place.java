package org.quern.flow;

import org.quern.core.Buffer;
import org.quern.core.Tensor;

/// Where a tensor's elements lie: the same for all views of the whole of it.
record Place(Buffer buffer, long offset) {
  static Place of(Tensor t) {
    return new Place(t.buffer(), t.offset());
  }
}
