package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The commands over a tiny model that a test trains first.
class CommandsTest {
  private static final String[] TINY = {
    "--steps",
    "20",
    "--eval-every",
    "10",
    "--layers",
    "1",
    "--heads",
    "2",
    "--width",
    "16",
    "--context",
    "32",
    "--batch",
    "4",
    "--threads",
    "1"
  };

  @TempDir private static Path folder;

  private static Path run;
  private static Path text;

  @BeforeAll
  static void train() throws IOException {
    text = folder.resolve("text.txt");
    StringBuilder rhyme = new StringBuilder();
    for (int i = 0; i < 200; i++) {
      rhyme.append("mary had a little lamb, its fleece was white as snow. ").append(i % 7);
    }
    Files.writeString(text, rhyme);
    run = folder.resolve("run");
    Cli cli = Cli.run(trainTo(run)).ok();
    assertTrue(cli.out().contains("best validation loss"), cli.out());
    assertTrue(cli.out().contains("generate --model"), cli.out());
  }

  private static String[] trainTo(Path out, String... more) {
    List<String> args = new ArrayList<>(List.of("train", "--data", text.toString()));
    args.addAll(List.of("--out", out.toString()));
    args.addAll(List.of(TINY));
    args.addAll(List.of(more));
    return args.toArray(String[]::new);
  }

  private static Cli withModel(String... args) {
    String[] all = Arrays.copyOf(args, args.length + 2);
    all[args.length] = "--model";
    all[args.length + 1] = run.toString();
    return Cli.run(all);
  }

  private static double loss(String precision) throws IOException {
    String json =
        withModel("eval", "--data", text.toString(), "--json", "--precision", precision).ok().out();
    try (JsonParser parser = new JsonFactory().createParser(json)) {
      while (!"loss".equals(parser.currentName())
          || parser.currentToken() == JsonToken.FIELD_NAME) {
        parser.nextToken();
      }
      return parser.getDoubleValue();
    }
  }

  /// Weights that have all the digits of F32, unlike those that come with Quern.
  @Test
  void lessPrecisionChangesTheLossALittle() throws IOException {
    double f32 = loss("f32");
    double bf16 = loss("bf16");
    double q8 = loss("q8");
    String found = "loss: f32 %.6f, bf16 %.6f, q8 %.6f".formatted(f32, bf16, q8);
    assertEquals(f32, bf16, 0.005 * f32, found);
    assertEquals(f32, q8, 0.01 * f32, found);
    assertTrue(f32 != bf16 && bf16 != q8, found);
  }

  @Test
  void theSameSeedGivesTheSameText() {
    String one = withModel("generate", "mary", "--seed", "3", "--max-tokens", "40").ok().out();
    String two = withModel("generate", "mary", "--seed", "3", "--max-tokens", "40").ok().out();
    String other = withModel("generate", "mary", "--seed", "4", "--max-tokens", "40").ok().out();
    assertEquals(one, two);
    assertFalse(one.equals(other));
    assertTrue(one.startsWith("mary"));
    assertEquals("mary".length() + 40 + 1, one.length());
  }

  @Test
  void everySamplingOptionIsHonoured() {
    String greedy = withModel("generate", "mary", "--temperature", "0").ok().out();
    assertEquals(greedy, withModel("generate", "mary", "--top-k", "1").ok().out());
    assertEquals(greedy, withModel("generate", "mary", "--top-p", "1e-9").ok().out());
    assertEquals(greedy, withModel("generate", "mary", "--min-p", "1").ok().out());
    String penalized =
        withModel("generate", "mary", "--temperature", "0", "--repetition-penalty", "5").ok().out();
    assertFalse(greedy.equals(penalized));
    String stop = greedy.substring(8, 12);
    String stopped = withModel("generate", "mary", "--temperature", "0", "--stop", stop).ok().out();
    assertEquals(greedy.substring(0, greedy.indexOf(stop, 4)) + "\n", stopped);
  }

  @Test
  void severalPromptsRunAsOneBatch() {
    String alone = withModel("generate", "mary", "--max-tokens", "30").ok().out();
    String both = withModel("generate", "mary", "its fleece", "--max-tokens", "30").ok().out();
    assertTrue(both.contains("--- 1 ---\n" + alone), both);
    assertTrue(both.contains("--- 2 ---\nits fleece"), both);
  }

  @Test
  void idsTakeThePlaceOfText() {
    String ids = withModel("generate", "--ids", "1 2 3", "--max-tokens", "5").ok().out();
    assertEquals(8, ids.strip().split(" ").length);
    withModel("generate", "--ids", "1 x").fails(1, "--ids", "'x'");
    withModel("generate", "--ids", "1 9999").fails(1, "9999");
    withModel("generate", "text", "--ids", "1").fails(1, "not both");
  }

  @Test
  void nextAsJsonHasOneDistributionAPosition() throws IOException {
    String json =
        withModel("next", "mary had", "--json", "--every-position", "--logits", "--top", "3")
            .ok()
            .out();
    int positions = 0;
    int logits = 0;
    double best = 0;
    try (JsonParser p = new JsonFactory().createParser(json)) {
      for (JsonToken t = p.nextToken(); t != null; t = p.nextToken()) {
        if (t == JsonToken.FIELD_NAME && p.currentName().equals("position")) {
          p.nextToken();
          assertEquals(positions++, p.getIntValue());
        }
        if (t == JsonToken.FIELD_NAME && p.currentName().equals("logprob")) {
          p.nextToken();
          assertTrue(p.getDoubleValue() < 0);
        }
        if (t == JsonToken.FIELD_NAME && p.currentName().equals("logits")) {
          p.nextToken();
          double sum = 0;
          while (p.nextToken() != JsonToken.END_ARRAY) {
            sum += Math.exp(p.getDoubleValue());
            logits++;
          }
          best = Math.max(best, sum);
        }
      }
    }
    assertEquals("mary had".length(), positions);
    assertEquals(0, logits % positions);
    assertTrue(logits / positions > 20 && best > 0);
    String last = withModel("next", "mary had", "--json", "--top", "3").ok().out();
    assertTrue(last.contains("\"position\":7") && !last.contains("\"position\":6"), last);
  }

  @Test
  void evalMeasuresWhatTrainingValidatedOn() throws IOException {
    List<String> losses = Files.readAllLines(run.resolve("loss.csv"));
    String want = losses.getLast().split(",")[2];
    Cli cli = withModel("eval", "--data", text.toString(), "--last", "0.1").ok();
    assertTrue(cli.out().contains(want), cli.out() + losses);
    assertTrue(
        withModel("eval", "--data", text.toString(), "--json").ok().out().contains("perplexity"));
  }

  @Test
  void aRunIsResumedOrKept() throws IOException {
    Path whole = folder.resolve("whole");
    Path parts = folder.resolve("parts");
    Cli.run(trainTo(whole)).ok();
    Cli.run(trainTo(whole)).fails(1, "--resume", "--overwrite");
    Cli.run(trainTo(parts, "--resume")).fails(1, "no checkpoint");
    Cli.run(trainTo(parts)).ok();
    Cli.run(trainTo(parts, "--resume", "--seed", "5")).fails(1, "another config");
    Cli.run(trainTo(parts, "--resume")).ok();
    assertArrayEquals(
        Files.readAllBytes(whole.resolve("model.safetensors")),
        Files.readAllBytes(parts.resolve("model.safetensors")));
    Cli.run(trainTo(parts, "--overwrite")).ok();
  }

  @Test
  void theBigramIsTrainedTheSameWay() {
    Path bigram = folder.resolve("bigram");
    Cli.run(trainTo(bigram, "--recipe", "bigram")).ok();
    Cli cli = Cli.run("generate", "mary", "--model", bigram.toString(), "--max-tokens", "9").ok();
    assertTrue(cli.out().startsWith("mary"), cli.out());
  }

  @Test
  void badInputIsToldInOneOrTwoLines() throws IOException {
    withModel("generate", "").fails(1, "empty");
    withModel("generate", "Ünknown").fails(1, "Ü");
    withModel("generate", "a".repeat(100)).fails(1, "100", "32", "--slide");
    withModel("generate", "a".repeat(100), "--slide", "--max-tokens", "5").ok();
    withModel("next", "a".repeat(100)).fails(1, "100", "32");
    withModel("generate", "mary", "--temperature", "-1").fails(1, "temperature");
    withModel("generate", "mary", "--top-p", "0").fails(1, "top-p");
    withModel("generate", "mary", "--max-tokens", "0").fails(1, "max-tokens");
    withModel("generate", "mary", "--backend", "abacus").fails(1, "unknown backend", "cpu:0");
    withModel("generate", "mary", "--backend", "cuda").fails(1, "cannot run here", "cpu");
    withModel("generate", "mary", "--backend", "cpu:7").fails(1, "cpu");
    withModel("generate", "mary", "--threads", "-2").fails(1, "quern.threads");
    withModel("generate", "mary", "--max-tokens", "many").fails(2, "--max-tokens");
    withModel("generate", "mary", "--temprature", "1").fails(2, "--temprature");
    Cli.run("generate", "mary", "--model", "nowhere").fails(1, "nowhere");
    Cli.run("eval", "--data", "nowhere").fails(1, "nowhere");
    Cli.run(trainTo(text)).fails(1, "--out");
    Path empty = Files.createFile(folder.resolve("empty.txt"));
    Cli.run("train", "--data", empty.toString()).fails(1, "no text");
    Path binary = Files.write(folder.resolve("binary.bin"), new byte[] {1, 0, -1});
    Cli.run("train", "--data", binary.toString()).fails(1, "not UTF-8");
    Path tiny = Files.writeString(folder.resolve("tiny.txt"), "too short");
    Cli.run("train", "--data", tiny.toString()).fails(1, "too short");
    Cli.run("bench", "attention", "--context", "0").fails(1, "--context");
    Cli.run("bench", "softmax", "--context", "0").fails(1, "--context");
    Cli.run("bench", "matmul", "--context", "8").fails(1, "'matmul'", "'context'", "layout");
    Cli.run("bench", "softmax", "--param", "heads=1").fails(1, "'heads'", "implementation");
    Cli.run("bench", "softmax", "--out", text.toString()).fails(1, "--out", "is a file");
    Cli.run("bench", "softmax", "--threads", "-1").fails(1, "quern.threads");
    Cli.run("bench", "decode", "--context", "4096").fails(1, "nothing to measure");
    Cli.run("bench", "abacus").fails(2, "abacus", "attention");
    Cli.run("bench").fails(2, "NAME");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 7, 100, 3000})
  void aTruncatedModelIsRefused(int length) throws IOException {
    Path broken = Files.createDirectories(folder.resolve("broken" + length));
    try (var files = Files.list(run)) {
      for (Path f : files.toList()) {
        Files.copy(f, broken.resolve(f.getFileName()));
      }
    }
    Path weights = broken.resolve("model.safetensors");
    Files.write(weights, Arrays.copyOf(Files.readAllBytes(weights), length));
    Cli.run("generate", "mary", "--model", broken.toString()).fails(1, "model.safetensors");
  }

  @Test
  void devicesTellsWhatIsThereAndWhy() throws IOException {
    String table = Cli.run("devices").ok().out();
    assertTrue(table.contains("cpu:0") && table.contains("ready"), table);
    assertTrue(table.contains("cuda") && table.contains("missing"), table);
    String json = Cli.run("devices", "--json").ok().out();
    try (JsonParser p = new JsonFactory().createParser(json)) {
      while (p.nextToken() != null) {}
    }
    assertTrue(json.contains("quern.threads"), json);
  }

  @Test
  void helpFitsAnEightyColumnTerminal() {
    for (String command :
        List.of("generate", "next", "train", "eval", "devices", "verify", "tune", "bench")) {
      String help = Cli.run(command, "--help").ok().out();
      help.lines().forEach(l -> assertTrue(l.length() <= 80, l));
    }
    assertTrue(Cli.run("--help").ok().out().contains("Exit codes"));
  }
}
