package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.quern.core.Buffer;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.Arguments;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;

class OpenClAcceleratorTest {
  @Test
  void launchesWithEveryKindOfArgument() {
    String text =
        """
        __kernel void every_kind(__global float* x, long from, int n, long added, float factor) {
          int i = get_global_id(0);
          if (i < n) x[from + i] = x[from + i] * factor + added + get_group_id(1) + PLUS;
        }
        """;
    try (OpenClAccelerator a = Present.open()) {
      Buffer x = a.allocate(400);
      a.upload(x, 0, MemorySegment.ofArray(new float[] {1, 2, 3, 4, 5}));
      var kernel = a.compile(KernelVariant.of("test", "every_kind", Map.of("PLUS", 1)), text);
      Arguments arguments =
          new Arguments().add(new Tensor(x, DType.F32, Shape.of(3), 1)).add(3).add(100L).add(0.5f);
      a.launch(kernel, Grid.of(1, 8), arguments, null);
      float[] out = new float[5];
      a.download(MemorySegment.ofArray(out), x, 0);
      assertArrayEquals(new float[] {1, 102, 102.5f, 103, 5}, out);
      a.free(x);
    }
    assertEquals(Map.of(), Resources.all().live());
  }
}
