package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.lwjgl.opencl.CL10;
import org.lwjgl.system.MemoryStack;
import org.quern.core.Settings;
import org.quern.kernels.Catalogue;
import org.quern.kernels.KernelSpec;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.Tuning;

/// Every storage and option of every kernel compiles, as OpenCL C 1.2 and as OpenCL C 3.0.
class OpenClTextTest {
  private static OpenClDevice device;
  private static CommandQueue queue;

  @BeforeAll
  static void open() {
    Present.require();
    device = OpenClProvider.device(0);
    queue = new CommandQueue(device, Settings.load().profile());
  }

  @AfterAll
  static void close() {
    if (queue != null) {
      queue.close();
    }
  }

  static List<KernelSpec> kernels() {
    return Catalogue.all();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kernels")
  void compiles(KernelSpec spec) {
    for (KernelVariant v : spec.variants(Tuning.gpu())) {
      build(v, "-cl-std=CL1.2");
      build(v, "-cl-std=CL3.0");
    }
  }

  private static void build(KernelVariant v, String standard) {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var code = stack.callocInt(1);
      long program = CL10.clCreateProgramWithSource(queue.context(), v.source(), code);
      assertEquals(CL10.CL_SUCCESS, code.get(0));
      int built = CL10.clBuildProgram(program, device.id(), v.options() + " " + standard, null, 0);
      CL10.clReleaseProgram(program);
      assertEquals(CL10.CL_SUCCESS, built, v + " " + standard);
    }
  }
}
