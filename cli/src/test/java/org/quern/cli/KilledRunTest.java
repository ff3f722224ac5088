package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A training process that is killed at any moment, which most often is while it writes: it
/// checkpoints at every step.
class KilledRunTest {
  private static final int KILLS = 4;

  private static List<String> command(Path text, Path out, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "-cp",
                System.getProperty("jdk.module.path") == null
                    ? System.getProperty("java.class.path")
                    : System.getProperty("jdk.module.path"),
                "org.quern.cli.Main",
                "train",
                "--data",
                text.toString(),
                "--out",
                out.toString()));
    args.addAll(
        List.of(
            "--steps",
            "100000",
            "--eval-every",
            "1",
            "--layers",
            "2",
            "--heads",
            "2",
            "--width",
            "64",
            "--context",
            "8",
            "--batch",
            "1",
            "--threads",
            "1"));
    args.addAll(List.of(more));
    return args;
  }

  private static long lastStep(Path csv) throws IOException {
    // The file may be half written just now: only whole lines count.
    String text = Files.exists(csv) ? Files.readString(csv) : "";
    int end = text.lastIndexOf('\n');
    int start = text.lastIndexOf('\n', end - 1);
    String last = end < 0 ? "" : text.substring(start + 1, end);
    return last.isEmpty() || last.startsWith("step") ? 0 : Long.parseLong(last.split(",")[0]);
  }

  @Test
  void losesNothingThatWasKept(@TempDir Path folder) throws Exception {
    Path text = Files.writeString(folder.resolve("text.txt"), "abcdefgh ".repeat(30));
    Path out = folder.resolve("run");
    long before = 0;
    for (int kill = 0; kill < KILLS; kill++) {
      String[] more = kill == 0 ? new String[0] : new String[] {"--resume"};
      Process process =
          new ProcessBuilder(command(text, out, more))
              .redirectErrorStream(true)
              .redirectOutput(folder.resolve("log" + kill).toFile())
              .start();
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(300);
      while (lastStep(out.resolve("loss.csv")) < before + 5 + kill * 3L) {
        assertTrue(
            process.isAlive() && System.nanoTime() < deadline,
            Files.readString(folder.resolve("log" + kill)));
        Thread.sleep(7);
      }
      process.destroyForcibly(); // SIGKILL
      assertTrue(process.waitFor(10, TimeUnit.SECONDS));
      // loss.csv is written first: the checkpoint is at most one step behind it.
      long step = lastStep(out.resolve("loss.csv"));
      assertTrue(step > before);
      before = step - 1;
    }
    Cli cli = Cli.run("generate", "abc", "--model", out.toString(), "--max-tokens", "5").ok();
    assertTrue(cli.out().startsWith("abc"));
    String log = Files.readString(folder.resolve("log" + (KILLS - 1)));
    assertTrue(log.contains("resuming"), log);
    assertEquals(0, log.lines().filter(l -> l.contains("\tat ")).count(), log);
  }
}
