package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `quern bench` in a process of its own on the class path, as JMH needs it.
class BenchCommandTest {
  @TempDir Path folder;

  private Process start(Path out, String... more) throws IOException {
    List<String> args =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "-Djmh.ignoreLock=true",
                "-Djava.io.tmpdir=" + folder,
                "-cp",
                System.getProperty("jdk.module.path", "")
                    + File.pathSeparator
                    + System.getProperty("java.class.path"),
                "org.quern.cli.Main",
                "bench",
                "softmax",
                "--context",
                "32",
                "--out",
                out.toString()));
    args.addAll(List.of(more));
    return new ProcessBuilder(args)
        .redirectErrorStream(true)
        .redirectOutput(log().toFile())
        .start();
  }

  private Path log() {
    return folder.resolve("log");
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).sorted().toList();
    }
  }

  @Test
  void aSecondRunReplacesTheFirst() throws Exception {
    Path out = folder.resolve("results");
    Files.createDirectories(out);
    Files.writeString(out.resolve("softmax.md"), "an earlier run");
    Process process = start(out, "--toy", "--threads", "1");
    assertTrue(process.waitFor(120, TimeUnit.SECONDS));
    String log = Files.readString(log());
    assertEquals(0, process.exitValue(), log);
    assertTrue(log.contains("| cpu | three-kernels |") && log.contains("CPU threads: 1"), log);
    assertEquals(List.of("softmax.html", "softmax.json", "softmax.md"), names(out));
    assertTrue(log.contains(Files.readString(out.resolve("softmax.md"))), "the same table");
  }

  @Test
  void aStoppedRunLeavesNothing() throws Exception {
    Path out = folder.resolve("results");
    Process process = start(out, "--quick");
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (process.descendants().findAny().isEmpty()) {
      assertTrue(process.isAlive() && System.nanoTime() < deadline, Files.readString(log()));
      Thread.sleep(5);
    }
    process.destroy(); // as Ctrl-C, but for the exit code
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    String log = Files.readString(log());
    assertTrue(process.exitValue() != 0 && log.contains("stopped; nothing was written"), log);
    assertEquals(List.of(), names(out));
    assertEquals(
        List.of(),
        names(folder).stream().filter(n -> n.startsWith("quern-bench")).toList(),
        "logs");
  }
}
