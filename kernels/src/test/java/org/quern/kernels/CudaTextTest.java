package org.quern.kernels;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// All kernels are CUDA C, the portable ones and the ladder too: nvcc compiles every storage and
/// option of them, where it is installed.
class CudaTextTest {
  private static final int TARGET = 80;

  @TempDir Path folder;

  @BeforeAll
  static void installed() throws InterruptedException {
    Nvcc.require();
  }

  static List<KernelSpec> kernels() {
    return Stream.of(Catalogue.all(), CudaCatalogue.all(), Ladder.all())
        .flatMap(List::stream)
        .toList();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kernels")
  void compilesAsCuda(KernelSpec spec) {
    Nvcc.compile(spec.variants(Tuning.gpu()), folder.resolve("out.ptx"), TARGET);
  }
}
