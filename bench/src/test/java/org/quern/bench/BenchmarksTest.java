package org.quern.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.core.Availability;
import org.quern.core.Backends;
import org.quern.tck.BackendCompatibility;

/// Every benchmark runs once, small: those that nobody runs rot.
class BenchmarksTest {
  private static final List<Integer> SMALL = List.of(64);

  @TempDir Path folder;

  private static void require(String backend) {
    for (Backends.Found f : Backends.probe()) {
      if (f.provider().name().equals(backend)
          && f.availability() instanceof Availability.Missing missing) {
        BackendCompatibility.absent(missing, System.getenv("CI"));
      }
    }
  }

  private static void attention(String backend, Path out, String... implementations)
      throws IOException {
    check(
        new AttentionRun(SMALL, List.of(backend), true, out).run((done, total, what) -> {}),
        backend,
        implementations);
    assertTrue(Files.readString(out.resolve("attention.json")).contains("memory"));
  }

  private static void softmax(String backend, Path out, String... implementations)
      throws IOException {
    check(
        new SoftmaxRun(SMALL, List.of(backend), true, out).run((done, total, what) -> {}),
        backend,
        implementations);
  }

  private static void check(String table, String backend, String... implementations) {
    List<String> rows = table.lines().filter(l -> l.startsWith("| " + backend)).toList();
    assertEquals(implementations.length, rows.size(), table);
    for (int i = 0; i < rows.size(); i++) {
      String start = "| %s | %s | 64 | ".formatted(backend, implementations[i]);
      assertTrue(rows.get(i).startsWith(start), table);
    }
  }

  @Test
  void cpu() throws IOException {
    attention("cpu", folder, "unfused", "flash");
    softmax("cpu", folder, "fused");
  }

  @Test
  void openCl() throws IOException {
    require("opencl");
    attention("opencl", folder, "loops", "triangular", "unfused", "tiled-flash", "flash");
    softmax("opencl", folder, "three-kernels", "fused");
  }
}
