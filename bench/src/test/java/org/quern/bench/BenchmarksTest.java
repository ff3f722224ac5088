package org.quern.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.openjdk.jmh.results.RunResult;
import org.quern.core.Availability;
import org.quern.core.Backends;
import org.quern.tck.BackendCompatibility;

/// Every benchmark runs once, small: those that nobody runs rot.
class BenchmarksTest {
  @TempDir Path folder;

  /// Values at which a study is over at once.
  private record Small(String study, int points, Map<String, List<String>> values) {
    @Override
    public String toString() {
      return study;
    }
  }

  private static Map<String, List<String>> toy(String context) {
    return Map.of("model", List.of("toy"), "context", List.of(context));
  }

  static Stream<Small> all() {
    List<String> t = List.of("40");
    return Stream.of(
        new Small("attention", 6, Map.of("context", t)),
        new Small(
            "attention",
            4,
            Map.of(
                "context", List.of("300"),
                "mask", List.of("banded"),
                "head", List.of("128"),
                "implementation", List.of("unfused", "flash"))),
        new Small("softmax", 2, Map.of("context", t)),
        new Small("matmul", 4, Map.of("shape", List.of("24x40"), "m", List.of("3"))),
        new Small("decode", 1, toy("24")),
        new Small("prefill", 1, toy("24")),
        new Small("train", 1, toy("16")),
        new Small("startup", 1, Map.of()));
  }

  private Report run(Study study, String backend, Map<String, List<String>> values)
      throws IOException {
    return new Sweep(study, List.of(backend), values, OptionalInt.empty(), Effort.TOY, folder)
        .run((done, total, what) -> {});
  }

  @ParameterizedTest
  @MethodSource("all")
  void runsOnTheCpu(Small small) throws IOException {
    Study study = Studies.named(small.study());
    Report report = run(study, "cpu", small.values());
    // A backend that offers more precisions has more points.
    List<Row> plain = report.rows().stream().filter(BenchmarksTest::isF32).toList();
    assertEquals(small.points(), plain.size(), report.markdown());
    for (Row r : report.rows()) {
      assertTrue(r.min() > 0 && r.min() <= r.median() && r.median() <= r.max(), r::toString);
    }
    for (String ending : List.of(".json", ".md", ".html")) {
      assertTrue(Files.size(folder.resolve(study.name() + ending)) > 0, ending);
    }
    assertEquals(3, count(folder), "only those files");
  }

  private static boolean isF32(Row r) {
    return Stream.of("weights", "precision")
        .map(r::get)
        .allMatch(p -> List.of("", "plain", "f32").contains(p));
  }

  private static long count(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.count();
    }
  }

  @Test
  void coversEveryStudy() {
    List<String> run = all().map(Small::study).distinct().toList();
    assertEquals(Studies.ALL.stream().map(Study::name).toList(), run);
  }

  @Test
  void openClRunsTheLadderToo() throws IOException {
    for (Backends.Found f : Backends.probe()) {
      if (f.provider().name().equals("opencl")
          && f.availability() instanceof Availability.Missing missing) {
        BackendCompatibility.absent(missing, System.getenv("CI"));
      }
    }
    Map<String, List<String>> small = Map.of("context", List.of("64"), "pass", List.of("forward"));
    Report report = run(AttentionBenchmark.STUDY, "opencl", small);
    assertEquals(
        List.of("loops", "triangular", "three-kernels", "unfused", "tiled-flash", "flash"),
        report.values("implementation"));
    assertTrue(report.ceilings().getFirst().flops() > 0);
    run(SoftmaxBenchmark.STUDY, "opencl", Map.of("context", List.of("64")));
  }

  @Test
  void threadsReachTheMeasuredProcess() throws IOException {
    Launcher launcher = new Launcher(Effort.QUICK, OptionalInt.of(3));
    RunResult found = launcher.measure(ThreadsProbe.class, Map.of("backend", "cpu"), 1);
    assertEquals(3, WorkProfiler.of(found).tokens(), "quern.threads there");
  }

  @Test
  void aWrongRunIsToldAndLeavesNothing() throws IOException {
    Map<String, List<String>> wrong = Map.of("shape", List.of("24"), "m", List.of("3"));
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class, () -> run(MatmulBenchmark.STUDY, "cpu", wrong));
    String message = String.valueOf(e.getMessage());
    assertTrue(message.endsWith("shape must be N x K, such as 768x768, found '24'"), message);
    assertEquals(0, count(folder));
    assertThrows(
        IllegalArgumentException.class,
        () -> run(TrainStepBenchmark.STUDY, "cpu", Map.of("context", List.of("4096"))));
    assertThrows(
        IllegalArgumentException.class, () -> run(SoftmaxBenchmark.STUDY, "abacus", Map.of()));
  }
}
