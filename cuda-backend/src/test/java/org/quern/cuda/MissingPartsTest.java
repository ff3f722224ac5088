package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.quern.cuda.Emulator.Library;

/// A machine that has a driver and not all libraries of CUDA 12, such as one with CUDA 13 only.
@EnabledOnOs(OS.LINUX)
class MissingPartsTest {
  private static Fork.Result run(String missing, Library... present) throws Exception {
    Fork.Result result =
        Fork.run(
            PartsRun.class,
            Duration.ofMinutes(2),
            Emulator.environment(Emulator.folderWith(present), Map.of()),
            List.of(),
            missing);
    assertEquals(0, result.exit(), result.out() + result.err());
    assertTrue(result.out().endsWith("all is well" + System.lineSeparator()), result.out());
    return result;
  }

  @Test
  void withoutCublasOwnKernelsMultiplyAndOneLineSaysSo() throws Exception {
    Fork.Result result = run("cublas", Library.DRIVER, Library.NVRTC);
    List<String> told = result.err().lines().filter(line -> line.contains("products by")).toList();
    assertEquals(1, told.size(), result.err());
    for (String part :
        List.of(
            "INFO: CUDA emulator: products by Quern's own kernels, which are slower: ",
            "libcublas.so.12",
            "install cuBLAS of CUDA 12")) {
      assertTrue(told.getFirst().contains(part), told.getFirst());
    }
  }

  @Test
  void withoutNvrtcWhatIsShippedRunsAndNothingElse() throws Exception {
    Fork.Result result = run("nvrtc", Library.DRIVER, Library.CUBLAS);
    List<String> lines = result.out().lines().toList();
    assertTrue(
        lines
            .get(0)
            .startsWith(
                "kernel portable/fill VW=4 does not come ready-made, and NVRTC cannot be loaded"),
        lines.get(0));
    assertTrue(lines.get(0).contains("install NVRTC of CUDA 12"), lines.get(0));
    assertTrue(
        lines.get(1).startsWith("backend 'cuda' cannot be tuned: NVRTC cannot be loaded"),
        lines.get(1));
  }
}
