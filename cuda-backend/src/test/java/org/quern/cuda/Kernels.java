package org.quern.cuda;

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
      extern "C" __global__ void add(float* x, long long offset, int n, float value) {
        int i = blockIdx.x * blockDim.x + threadIdx.x;
        if (i < n) x[offset + i] += value;
      }
      """;

  private Kernels() {}

  /// {@return a kernel that adds a value to the first elements of a tensor}
  static CudaKernel add(CudaAccelerator a) {
    return a.compile(KernelVariant.of("test", "add", Map.of()), ADD);
  }

  /// {@return its arguments}
  static Arguments addTo(Buffer x, int n, float value) {
    return new Arguments().add(new Tensor(x, DType.F32, Shape.of(n), 0)).add(n).add(value);
  }
}
