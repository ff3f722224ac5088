package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.core.DeviceInfo;
import org.quern.core.KernelTime;

/// `--profile` and `--profile-json`.
class ProfileTest {
  private static final String NOTHING = "profile: backend 'cpu' does not measure kernels";
  private static final List<KernelTime> TIMES =
      List.of(
          new KernelTime("attention_forward_flash", 12, 3e-3, 6e6, 9e9),
          new KernelTime("a_kernel_whose_name_does_not_fit_its_column", 1, 0.5e-3, 2e9, 0),
          new KernelTime("fill", 1000, 0.5e-3, 0, 0));

  @TempDir private static Path folder;

  @Test
  void theTableHasEachKernelWithItsShareAndRates() {
    StringWriter text = new StringWriter();
    KernelTable.print(new PrintWriter(text, true), TIMES);
    List<String> lines = text.toString().lines().map(l -> l.replaceAll(" +", " ")).toList();
    text.toString().lines().forEach(l -> assertTrue(l.length() <= 80, l));
    assertEquals(
        List.of(
            "kernel calls time share GB/s GFLOP/s",
            "attention_forward_flash 12 3.00 ms 75.0 % 2.0 3000",
            "a_kernel_whose_name_does_not_fit_its_column",
            " 1 500 us 12.5 % 4000 -",
            "fill 1000 500 us 12.5 % - -",
            "all 1013 4.00 ms"),
        lines);
  }

  @Test
  void jsonHasTheSameNumbers() throws IOException {
    DeviceInfo device = new DeviceInfo("gpu", 1, "a device", 1 << 20, Map.of());
    String json = JsonParts.text(g -> KernelTable.write(g, device, TIMES));
    assertTrue(json.contains("\"index\" : 1"), json);
    assertTrue(json.contains("\"measured\" : true"), json);
    assertTrue(json.contains("\"calls\" : 12"), json);
    assertTrue(json.contains("\"share\" : 0.75"), json);
    assertTrue(json.contains("\"gigaflopsPerSecond\" : 3000.0"), json);
  }

  @Test
  void everyCommandTellsWhenTheBackendDoesNotMeasure() throws IOException {
    Path text = Files.writeString(folder.resolve("text.txt"), "to be or not to be\n".repeat(40));
    String data = text.toString();
    Path file = folder.resolve("profile.json");
    String run = folder.resolve("run").toString();
    List<List<String>> commands =
        List.of(
            List.of("generate", "to be", "--max-tokens", "3"),
            List.of("next", "to be", "--profile-json", file.toString()),
            List.of("eval", "--data", data),
            List.of(
                "train",
                "--data",
                data,
                "--out",
                run,
                "--recipe",
                "bigram",
                "--steps",
                "2",
                "--context",
                "8"));
    for (List<String> command : commands) {
      List<String> args = new ArrayList<>(command);
      args.addAll(List.of("--backend", "cpu", "--profile"));
      Cli cli = Cli.run(args.toArray(String[]::new)).ok();
      assertTrue(cli.err().contains(NOTHING), command + cli.err());
      assertFalse(cli.out().contains(NOTHING), cli.out());
    }
    assertTrue(Files.readString(file).contains("\"measured\" : false"));
    Cli without = Cli.run("next", "to be", "--backend", "cpu").ok();
    assertFalse(without.err().contains("profile"), without.err());
  }

  @Test
  void aFileThatCannotBeIsToldBeforeTheWork() {
    String nowhere = folder.resolve("nowhere").resolve("p.json").toString();
    Cli cli = Cli.run("next", "to be", "--profile-json", nowhere).fails(1, "--profile-json");
    assertEquals("", cli.out());
    Cli.run("next", "to be", "--profile-json", folder.toString()).fails(1, "cannot be a file");
  }
}
