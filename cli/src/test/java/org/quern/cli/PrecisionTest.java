package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// `--precision`, on the CPU, with the model that comes with Quern.
class PrecisionTest {
  private static final String START = "ROMEO:\n";

  @TempDir private static Path folder;

  private static Path speeches;

  @BeforeAll
  static void writeSpeeches() throws IOException {
    speeches = folder.resolve("speeches.txt");
    try (InputStream in = PrecisionTest.class.getResourceAsStream("speeches.txt")) {
      Files.write(speeches, in.readAllBytes());
    }
  }

  private static Cli run(String precision, String... more) {
    List<String> args = new ArrayList<>(List.of(more));
    args.addAll(List.of("--backend", "cpu", "--precision", precision));
    return Cli.run(args.toArray(String[]::new));
  }

  private static double loss(String precision) {
    String json = run(precision, "eval", "--data", speeches.toString(), "--json").ok().out();
    Matcher m = Pattern.compile("\"loss\":([0-9.]+)").matcher(json);
    assertTrue(m.find(), json);
    return Double.parseDouble(m.group(1));
  }

  private static double lossWithTheVectorApi() {
    System.setProperty("quern.cpu.bf16", "vector");
    try {
      return loss("bf16");
    } finally {
      System.clearProperty("quern.cpu.bf16");
    }
  }

  /// Speeches of plays, of which the model has read some others.
  @Test
  void theLossIsNearlyThatOfF32() {
    double f32 = loss("f32");
    double bf16 = loss("bf16");
    double vector = lossWithTheVectorApi();
    double q8 = loss("q8");
    String found =
        "loss: f32 %.6f, bf16 %.6f, with the Vector API %.6f, q8 %.6f"
            .formatted(f32, bf16, vector, q8);
    assertTrue(f32 > 1 && f32 < 2.2, found);
    // The model is stored in BF16: nothing but the order of sums may change.
    assertEquals(f32, vector, 1e-5 * f32, found);
    // Machine code, where the machine has it, rounds activations too.
    assertEquals(f32, bf16, 0.005 * f32, found);
    assertEquals(f32, q8, 0.01 * f32, found);
    assertTrue(Math.abs(q8 - f32) > 1e-7, "were the weights rounded at all? " + found);
  }

  /// Decoding token by token chooses what running the whole text at once finds most probable.
  @ParameterizedTest
  @ValueSource(strings = {"f32", "bf16", "q8"})
  void greedyTextIsTheSameTwiceAndWithoutTheCache(String precision) {
    String[] command = {"generate", START, "--temperature", "0", "--max-tokens", "120"};
    String text = run(precision, command).ok().out();
    assertEquals(text, run(precision, command).ok().out());
    text = text.substring(0, START.length() + 120);
    String whole = run(precision, "next", text, "--every-position", "--top", "1").ok().out();
    Matcher top = Pattern.compile("(?m)^.*% +logit .*  \"(.*)\"$").matcher(whole);
    StringBuilder found = new StringBuilder();
    while (top.find()) {
      found.append(top.group(1).equals("\\n") ? "\n" : top.group(1));
    }
    assertEquals(text.length(), found.length(), whole);
    assertEquals(
        text.substring(START.length()), found.substring(START.length() - 1, text.length() - 1));
  }

  @Test
  void anUnknownNameIsToldTheChoices() {
    run("q4", "next", START).fails(2, "--precision", "q4", "F32", "BF16", "F16", "Q8");
    run("f16", "next", START).fails(1, "f16", "quern.precision=bf16");
  }

  @Test
  void trainingRefusesWithTheRemedy() {
    run("bf16", "train", "--data", speeches.toString(), "--out", folder.resolve("run").toString())
        .fails(1, "quern.precision=bf16", "--storage bf16");
  }

  @Test
  void devicesTellTheValueInEffect() {
    assertTrue(run("q8", "devices").ok().out().contains("quern.precision q8"));
  }
}
