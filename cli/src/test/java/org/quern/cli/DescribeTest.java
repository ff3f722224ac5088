package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.DType;
import org.quern.core.Settings;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;
import org.quern.gpt.Preset;
import org.quern.gpt.Presets;
import org.quern.io.ModelFolder;
import org.quern.plan.Ledger;

/// `quern describe`.
class DescribeTest {
  /// Bytes of weights up to which a model is built here.
  private static final long BUILT = 2_000_000_000;

  @TempDir private Path folder;

  /// {@return the numbers of a document by their paths, such as `flopsPerToken/inference`}
  private static Map<String, Long> numbers(String json) throws IOException {
    Map<String, Long> out = new HashMap<>();
    try (JsonParser parser = new JsonFactory().createParser(json)) {
      for (JsonToken t = parser.nextToken(); t != null; t = parser.nextToken()) {
        if (t == JsonToken.VALUE_NUMBER_INT) {
          out.put(parser.getParsingContext().pathAsPointer().toString(), parser.getLongValue());
        }
      }
    }
    return out;
  }

  @Test
  void gpt3InFull() {
    String text = Cli.run("describe", "gpt3").ok().out();
    for (String line :
        List.of(
            "embedding              617,558,016         1  50,257 x 12,288",
            "query               14,495,514,624     9,216  128 x 12,288",
            "key                 14,495,514,624     9,216  128 x 12,288",
            "value-down          14,495,514,624     9,216  128 x 12,288",
            "value-up            14,495,514,624        96  12,288 x 12,288",
            "up-projection       57,982,058,496        96  49,152 x 12,288",
            "down-projection     57,982,058,496        96  12,288 x 49,152",
            "unembedding            617,558,016         1  50,257 x 12,288",
            "total              175,181,291,520    27,938",
            "Attention: 57,982,058,496 in all, 603,979,776 a layer",
            "query 1,572,864, key 1,572,864",
            "12,288 x 12,288 = 150,994,944",
            "total              174,604,259,328",
            "3,200,000 tokens a step and a learning rate of up to\n0.00006.")) {
      assertTrue(text.contains(line), line + " is missing in:\n" + text);
    }
  }

  @Test
  void jsonSaysTheSame() throws IOException {
    Map<String, Long> n = numbers(Cli.run("describe", "gpt3", "--json").ok().out());
    assertEquals(175_181_291_520L, n.get("/weightsOnly/parameters"));
    assertEquals(27_938, n.get("/weightsOnly/matrices"));
    assertEquals(174_604_259_328L, n.get("/parameters"));
    assertEquals(4 * 174_604_259_328L, n.get("/inferenceBytes/f32/weights"));
    assertEquals(2L * 96 * 12288 * 2048 * 4, n.get("/inferenceBytes/q8/cache"));
    assertEquals(8 * 174_604_259_328L, n.get("/trainingBytes/moments"));
    assertEquals(3 * n.get("/flopsPerToken/inference"), n.get("/flopsPerToken/training"));
  }

  @ParameterizedTest
  @MethodSource("presets")
  void fitsEightyColumns(Preset preset) {
    String text = Cli.run("describe", preset.name(), "--batch", "16").ok().out();
    text.lines().forEach(l -> assertTrue(l.length() <= 80, l));
  }

  static List<Preset> presets() {
    return Presets.all();
  }

  static List<Preset> builtPresets() {
    return Presets.all().stream()
        .filter(p -> 4 * Ledger.of(p.config()).parameters() <= BUILT)
        .toList();
  }

  /// Those that are too large for a test are counted by hand in LedgerTest.
  @ParameterizedTest
  @MethodSource("builtPresets")
  void countsWhatIsBuilt(Preset preset) {
    try (Backend cpu = Backends.open(Settings.load().withBackend("cpu"));
        Gpt model = new Gpt(cpu, preset.config(), (parameter, backend) -> {})) {
      assertEquals(model.parameters().count(), Ledger.of(preset.config()).parameters());
    }
  }

  @Test
  void buildsSome() {
    assertEquals(
        List.of("gpt1", "gpt2", "gpt2-medium", "gpt3-small", "gpt3-medium", "small", "shakespeare"),
        builtPresets().stream().map(Preset::name).toList());
  }

  @Test
  void batchAndContextCount() throws IOException {
    Map<String, Long> one =
        numbers(Cli.run("describe", "gpt2", "--context", "100", "--json").ok().out());
    Map<String, Long> two =
        numbers(
            Cli.run("describe", "gpt2", "--context", "200", "--batch", "3", "--json").ok().out());
    assertEquals(6 * one.get("/inferenceBytes/f32/cache"), two.get("/inferenceBytes/f32/cache"));
    assertEquals(2 * one.get("/flopsPerToken/attention"), two.get("/flopsPerToken/attention"));
    assertEquals(one.get("/flopsPerToken/products"), two.get("/flopsPerToken/products"));
  }

  @Test
  void onePrecision() {
    String text = Cli.run("describe", "gpt2", "--precision", "bf16").ok().out();
    assertTrue(text.contains("bf16") && !text.contains("q8"), text);
  }

  @Test
  void withoutAName() throws IOException {
    String text = Cli.run("describe").ok().out();
    String json = Cli.run("describe", "--json").ok().out();
    for (Preset p : Presets.all()) {
      assertTrue(text.contains(p.name()), text);
      assertTrue(json.contains('"' + p.name() + '"'), json);
    }
  }

  private Path saved(GptConfig config) {
    try (Backend cpu = Backends.open(Settings.load().withBackend("cpu"));
        Gpt model = new Gpt(cpu, config, ParameterSource.random(1))) {
      ModelFolder.save(folder.resolve("model"), model, null, DType.BF16, Map.of());
    }
    return folder.resolve("model");
  }

  @Test
  void aFolder() throws IOException {
    GptConfig config = GptConfig.gpt2(50, 16, 24, 2, 3);
    Path model = saved(config);
    Map<String, Long> n = numbers(Cli.run("describe", model.toString(), "--json").ok().out());
    assertEquals(Ledger.of(config).parameters(), n.get("/parameters"));
    assertEquals(16, n.get("/context"));
  }

  @Test
  void aFolderWhoseConfigurationLies() throws IOException {
    Path model = saved(GptConfig.gpt2(50, 16, 24, 3, 3));
    Path config = model.resolve("config.json");
    String text = Files.readString(config);
    Files.writeString(config, text.replace("\"n_layer\": 3", "\"n_layer\": 2"));
    assertFalse(text.equals(Files.readString(config)));
    Cli.run("describe", model.toString()).fails(1, "n_layer");
    Files.writeString(config, text.replace("\"n_layer\": 3", "\"n_layer\": 60000"));
    Cli.run("describe", model.toString()).fails(1, "h.59999");
  }

  @Test
  void whatIsNoModel() throws IOException {
    Cli.run("describe", folder.toString()).fails(1, "config.json", folder.toString());
    Path file = Files.writeString(folder.resolve("text.txt"), "text");
    Cli.run("describe", file.toString()).fails(1, "expected a model: a folder, GGUF");
    Cli.run("describe", "gpt4").fails(1, "'gpt4' is no folder and no preset", "gpt2-xl", "gpt3");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--batch=0", "--batch=5000", "--context=0", "--context=1025"})
  void numbersOutOfRange(String option) {
    Cli.run("describe", "gpt2", option).fails(1, option.substring(0, option.indexOf('=')));
  }

  @Test
  void thisMachineIsFirst() {
    String text = Cli.run("describe", "small", "--backend", "cpu").ok().out();
    Optional<String> line = text.lines().filter(l -> l.contains("this machine")).findFirst();
    assertTrue(
        line.orElseThrow().matches(" +cpu, this machine .* yes +yes +- +yes +yes +yes"), text);
  }
}
