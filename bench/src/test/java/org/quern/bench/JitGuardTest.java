package org.quern.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The JIT must make fast code of every CPU kernel in every process. When it does not, a kernel is
/// 5 to 150 times slower, and only in one process of several, so that one measurement shows
/// nothing.
class JitGuardTest {
  private static final int PROCESSES = 5;

  /// Of the median process. Cliffs are below a fifth, noise is above a half.
  private static final double LEAST = 0.25;

  /// Of multiply-adds in registers, in every process: about a third of what a processor with 512
  /// bits reached. The rest is bound by the divisor's or the exponential's latencies.
  private static final Map<String, Double> FLOORS =
      Map.of("product M=96", 0.25, "matmul", 0.15, "attention", 0.1, "decode", 0.02);

  @TempDir Path folder;

  /// What one process reports.
  private Map<String, Double> process(int index) throws IOException, InterruptedException {
    Path out = folder.resolve("speeds" + index);
    Path log = folder.resolve("log" + index);
    List<String> command =
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:+PrintCompilation",
            "--add-modules=jdk.incubator.vector",
            "-cp",
            System.getProperty("java.class.path"),
            KernelSpeeds.class.getName(),
            out.toString());
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    try {
      assertTrue(process.waitFor(5, TimeUnit.MINUTES), "a process does not end");
    } finally {
      process.destroyForcibly();
    }
    List<String> said = Files.readAllLines(log);
    assertEquals(0, process.exitValue(), () -> "the end of the output: " + tail(said));
    // The cause of a cliff, even where it had none in this process: a method that the JIT's third
    // tier gives up stays in the second one if it came to that first.
    List<String> skipped =
        said.stream()
            .filter(l -> l.contains("org.quern") && l.contains("COMPILE SKIPPED"))
            .toList();
    assertEquals(List.of(), skipped, "the JIT gives up; split these methods");
    Map<String, Double> speeds = new LinkedHashMap<>();
    for (String line : Files.readAllLines(out)) {
      String[] parts = line.split("\t", -1);
      speeds.put(parts[0], Double.valueOf(parts[1]));
    }
    return speeds;
  }

  private static List<String> tail(List<String> lines) {
    return lines.subList(Math.max(0, lines.size() - 20), lines.size());
  }

  @Test
  void everyKernelIsFastInEveryProcess() throws Exception {
    List<Map<String, Double>> processes = new ArrayList<>();
    for (int i = 0; i < PROCESSES; i++) {
      processes.add(process(i));
    }
    List<String> slow = new ArrayList<>();
    for (String kernel : processes.getFirst().keySet()) {
      double[] speeds = processes.stream().mapToDouble(p -> p.getOrDefault(kernel, 0.0)).toArray();
      double[] sorted = speeds.clone();
      Arrays.sort(sorted);
      double bound = LEAST * sorted[PROCESSES / 2];
      for (var floor : FLOORS.entrySet()) {
        bound = kernel.contains(floor.getKey()) ? Math.max(bound, floor.getValue()) : bound;
      }
      if (sorted[0] < bound) {
        slow.add(
            "%s: %s of multiply-adds, at least %.4f expected"
                .formatted(kernel, Arrays.toString(speeds), bound));
      }
    }
    assertEquals(List.of(), slow, () -> "slow kernels; all: " + processes);
  }
}
