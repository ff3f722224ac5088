package org.quern.io;

import java.util.Arrays;
import java.util.List;
import org.quern.core.Shape;

/// Shapes as files have them.
final class Shapes {
  private Shapes() {}

  static List<Long> list(Shape shape) {
    return Arrays.stream(shape.toArray()).boxed().toList();
  }
}
