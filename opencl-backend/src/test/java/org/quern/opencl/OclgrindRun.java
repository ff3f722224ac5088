package org.quern.opencl;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Objects;
import org.quern.core.Buffer;
import org.quern.core.DType;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.Arguments;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;

/// Launches a kernel of the test resources: what [OclgrindTest] runs in another JVM.
final class OclgrindRun {
  private static final int GROUP = 8;
  private static final int N = 4 * GROUP;

  private OclgrindRun() {}

  /// Runs the kernel of that name, and prints the device and the sum of the results.
  public static void main(String[] args) throws IOException {
    try (OpenClAccelerator a = OpenClProvider.openAccelerator(0, Settings.load())) {
      Buffer x = a.allocate(N * Float.BYTES);
      float[] host = new float[N];
      for (int i = 0; i < N; i++) {
        host[i] = i;
      }
      a.upload(x, 0, MemorySegment.ofArray(host));
      var kernel = a.compile(KernelVariant.of("test", args[0], Map.of()), text(args[0]));
      Arguments arguments = new Arguments().add(new Tensor(x, DType.F32, Shape.of(N), 0)).add(N);
      a.launch(kernel, Grid.of(N / GROUP, GROUP), arguments, null);
      a.download(MemorySegment.ofArray(host), x, 0);
      System.out.println(a.device().name() + ", the first is " + host[0]);
      a.free(x);
    }
    if (!Resources.all().live().isEmpty()) {
      throw new AssertionError("left behind: " + Resources.all().live());
    }
  }

  private static String text(String name) throws IOException {
    try (InputStream in = OclgrindRun.class.getResourceAsStream(name + ".cl")) {
      byte[] bytes = Objects.requireNonNull(in, name).readAllBytes();
      return new String(bytes, StandardCharsets.UTF_8);
    }
  }
}
