package org.quern.opencl;

import java.util.Map;
import org.quern.core.Buffer;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.Arguments;
import org.quern.kernels.KernelVariant;

/// Small kernels of the tests.
final class Kernels {
  private static final String ADD =
      """
      __kernel void add(__global float* x, long offset, int n, float value) {
        int i = get_global_id(0);
        if (i < n) x[offset + i] += value;
      }
      """;

  private Kernels() {}

  /// {@return a kernel that adds a value to the first elements of a tensor}
  static OpenClKernel add(OpenClAccelerator a) {
    return a.compile(KernelVariant.of("test", "add", Map.of()), ADD);
  }

  /// {@return its arguments}
  static Arguments addTo(Buffer x, int n, float value) {
    return new Arguments().add(new Tensor(x, DType.F32, Shape.of(n), 0)).add(n).add(value);
  }
}
