package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.core.Availability;
import org.quern.core.Backends;
import org.quern.tck.BackendCompatibility;

/// The commands on OpenCL. Where it is missing they are skipped, with the probe's reason; where the
/// environment says `CI=true` that is a failure.
class OpenClCommandsTest {
  private static final int TOKENS = 200;

  @TempDir private static Path folder;

  @BeforeAll
  static void present() {
    for (Backends.Found found : Backends.probe()) {
      if (found.provider().name().equals("opencl")
          && found.availability() instanceof Availability.Missing missing) {
        BackendCompatibility.absent(missing, System.getenv("CI"));
      }
    }
  }

  private static String on(String backend, String... args) {
    String[] all = Arrays.copyOf(args, args.length + 2);
    all[args.length] = "--backend";
    all[args.length + 1] = backend;
    return Cli.run(all).ok().out();
  }

  /// One character a token. The closest two candidates on the way are 7e-4 nats apart (`next
  /// --every-position --top 2 --json`), which is far above what another order of f32 sums makes.
  @Test
  void greedyTextIsThatOfTheCpu() {
    String[] greedy = {
      "generate", "ROMEO:", "--temperature", "0", "--max-tokens", Integer.toString(TOKENS)
    };
    String cpu = on("cpu", greedy);
    assertEquals(cpu, on("opencl", greedy));
    assertEquals("ROMEO:".length() + TOKENS + 1, cpu.length());
  }

  @Test
  void nextGivesTheProbabilitiesOfTheCpu() {
    String[] next = {"next", "First Citizen", "--top", "5"};
    assertEquals(on("cpu", next), on("opencl", next));
  }

  @Test
  void trainsEvaluatesAndGenerates() throws IOException {
    Path text = folder.resolve("text.txt");
    Files.writeString(text, "mary had a little lamb, its fleece was white as snow. ".repeat(100));
    Path run = folder.resolve("run");
    String trained =
        on(
            "opencl",
            "train --steps 12 --eval-every 4 --layers 1 --heads 2 --width 16 --context 32 --batch 4"
                .concat(" --data %s --out %s".formatted(text, run))
                .split(" "));
    assertTrue(trained.contains("best validation loss"), trained);
    List<String> losses = Files.readAllLines(run.resolve("loss.csv"));
    double first = Double.parseDouble(losses.get(1).split(",")[2]);
    double last = Double.parseDouble(losses.getLast().split(",")[2]);
    assertTrue(last < first, losses.toString());
    String[] eval = {"eval", "--model", run.toString(), "--data", text.toString(), "--last", "0.1"};
    String loss = on("opencl", eval);
    assertTrue(loss.contains(losses.getLast().split(",")[2]), loss + losses);
    String more = on("opencl", "generate", "mary", "--model", run.toString(), "--max-tokens", "9");
    assertTrue(more.startsWith("mary"), more);
    assertFalse(on("opencl", "next", "mary", "--model", run.toString()).isBlank());
  }
}
