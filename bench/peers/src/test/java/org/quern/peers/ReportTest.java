package org.quern.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
  private static final Match MATCH =
      new Match("attention", "pytorch", 2, Map.of("T", "128", "pass", "forward"));
  private static final Ratio RATIO =
      new Ratio(
          MATCH,
          "f32",
          Contest.Unit.MILLISECONDS,
          Figure.of(2, 1, 4),
          Figure.of(3, 5, 6, 4),
          "PyTorch",
          2.25);

  @Test
  void figures() {
    assertEquals(new Figure(2, 1, 4), Figure.of(4, 1, 2));
    assertEquals(new Figure(4.5, 3, 6), Figure.of(3, 5, 6, 4));
    assertEquals(2, Contest.Unit.MILLISECONDS.of(7, 0.002));
    assertEquals(3.5e-6, Contest.Unit.GFLOPS.of(7, 0.002), 1e-18);
    assertEquals(3500, Contest.Unit.TOKENS.of(7, 0.002));
  }

  @Test
  void aMatchGoesThroughArguments() {
    assertEquals(MATCH, Match.parse(MATCH.arguments()));
  }

  @Test
  void tableHasTheRatio() {
    assertTrue(
        Report.table(List.of(RATIO))
            .contains(
                "| attention | T=128 pass=forward | 2 | 2.00 [1.00, 4.00] | 4.50 [3.00, 6.00]"
                    + " | ms | PyTorch | 2.25 |"),
        Report.table(List.of(RATIO)));
  }

  @Test
  void fileHasAllFields(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("ratios.json");
    Report.writeJson(file, List.of(RATIO, RATIO));
    String text = Files.readString(file).strip();
    assertTrue(text.startsWith("[") && text.endsWith("]"), text);
    for (String name :
        List.of(
            "benchmark",
            "params",
            "threads",
            "precision",
            "quern",
            "peer",
            "unit",
            "peerName",
            "ratio",
            "median",
            "min",
            "max")) {
      assertTrue(text.contains('"' + name + "\" :"), name);
    }
  }
}
