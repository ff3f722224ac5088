package org.quern.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.core.Activation;
import org.quern.core.DType;
import org.quern.core.Precision;
import org.quern.gpt.Bigram;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;
import org.quern.plan.SizesBackend;
import org.quern.text.CharTokenizer;
import org.quern.text.Tokenizer;

class ModelFolderTest {
  private final HostBackend backend = new HostBackend();
  @TempDir Path temporary;

  @AfterEach
  void noLeaks() {
    backend.close();
  }

  static Iterable<String> models() {
    return Golden.MODELS;
  }

  private Map<String, float[]> numbers(LanguageModel model) {
    Map<String, float[]> out = new TreeMap<>();
    for (Parameter p : model.parameters().all()) {
      out.put(p.name(), backend.floats(p.tensor()));
    }
    return out;
  }

  private static void assertSame(Map<String, float[]> expected, Map<String, float[]> found) {
    assertEquals(Set.copyOf(expected.keySet()), Set.copyOf(found.keySet()));
    expected.forEach((name, numbers) -> assertArrayEquals(numbers, found.get(name), name));
  }

  /// A copy of a golden folder, to be damaged.
  private Path copy(String model) throws IOException {
    Path folder = Files.createDirectories(temporary.resolve("model"));
    try (var files = Files.list(Golden.path(model))) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
    return folder;
  }

  private static void edit(Path file, String what, String by) throws IOException {
    String text = Files.readString(file);
    assertTrue(text.contains(what), text);
    Files.writeString(file, text.replace(what, by));
  }

  private String failure(Path folder) {
    return assertThrows(
            FormatException.class,
            () -> {
              try (ModelFolder f = ModelFolder.open(folder);
                  LanguageModel model = f.load(backend)) {
                model.parameters();
              }
            })
        .getMessage();
  }

  @ParameterizedTest
  @MethodSource("models")
  void readsWhatOthersWrote(String name) throws IOException {
    try (ModelFolder folder = ModelFolder.open(Golden.path(name));
        LanguageModel model = folder.load(backend)) {
      assertSame(Golden.expected(name), numbers(model));
      GptConfig c = folder.config();
      assertEquals(11, c.vocabulary());
      assertEquals(6, c.context());
      assertEquals(4, c.width());
      assertEquals(2, c.layers());
      assertEquals(2, c.heads());
      assertEquals(12, c.mlpWidth());
      assertEquals(Activation.GELU_TANH, c.activation());
      assertEquals(1e-5f, c.epsilon());
      assertEquals(0.1f, c.dropout());
      assertEquals(
          name.endsWith("untied") ? GptConfig.Unembedding.SEPARATE : GptConfig.Unembedding.TIED,
          c.unembedding());
      assertEquals(ModelFolder.Kind.GPT, folder.kind());
      assertEquals("pt", folder.metadata().get("format"));
      assertTrue(folder.tokenizer().isEmpty(), "the model takes ids");
    }
  }

  /// GPT-1 as published.
  @Test
  void readsTheFirstGpt() throws IOException {
    Path path = copy("f32-gpt1-tied");
    // Its tokens are no byte-level ones.
    Files.writeString(path.resolve("vocab.json"), "{\"the</w>\": 0}");
    Files.writeString(path.resolve("merges.txt"), "#version: 0.2\nt he</w>\n");
    try (ModelFolder folder = ModelFolder.open(path);
        LanguageModel model = folder.load(backend)) {
      assertSame(Golden.expected("f32-gpt1-tied"), numbers(model));
      GptConfig expected =
          GptConfig.gpt2(11, 6, 4, 2, 2)
              .with(GptConfig.NormPlacement.POST, GptConfig.Positions.LEARNED, Activation.GELU_TANH)
              .withDropout(0.1f);
      assertEquals(expected, folder.config());
      assertTrue(folder.tokenizer().isEmpty());
    }
    edit(path.resolve("config.json"), "\"afn\": \"gelu\"", "\"afn\": \"silu\"");
    assertTrue(failure(path).contains("afn"), failure(path));
  }

  /// What is checked without a model is what loading checks.
  @ParameterizedTest
  @MethodSource("models")
  void checksWithoutReading(String name) throws IOException {
    Path path = copy(name);
    try (SizesBackend sizes = new SizesBackend(Precision.F32, SizesBackend.Packing.NONE);
        ModelFolder good = ModelFolder.open(path)) {
      good.check(sizes);
      edit(path.resolve("config.json"), "\"n_layer\": 2", "\"n_layer\": 1");
      try (ModelFolder bad = ModelFolder.open(path)) {
        String message = assertThrows(FormatException.class, () -> bad.check(sizes)).getMessage();
        assertEquals(failure(path), message);
      }
      assertEquals(0, sizes.pool().stats().inUse());
    }
  }

  @Test
  void modelsOutliveTheirFolder() throws IOException {
    ModelFolder folder = ModelFolder.open(Golden.path("f32-prefix-tied"));
    try (LanguageModel model = folder.load(backend)) {
      folder.close();
      folder.close();
      assertSame(Golden.expected("f32-prefix-tied"), numbers(model));
      assertThrows(IllegalStateException.class, () -> folder.load(backend));
      assertThrows(IllegalStateException.class, folder::tokenizer);
      assertThrows(IllegalStateException.class, folder::metadata);
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void readsResources(String name) throws IOException {
    try (ModelFolder folder =
            ModelFolder.ofResources(ModelFolderTest.class, "/golden-files/" + name);
        LanguageModel model = folder.load(backend)) {
      assertSame(Golden.expected(name), numbers(model));
    }
    String message =
        assertThrows(
                FormatException.class,
                () -> ModelFolder.ofResources(ModelFolderTest.class, "/golden-files/none"))
            .getMessage();
    assertTrue(message.contains("/golden-files/none/: files: expected config.json"), message);
  }

  private static GptConfig config(GptConfig.Unembedding unembedding) {
    return GptConfig.gpt2(13, 5, 6, 2, 3).with(unembedding, GptConfig.Bias.YES).withDropout(0.2f);
  }

  @ParameterizedTest
  @EnumSource(GptConfig.Unembedding.class)
  void readsWhatItWroteBitForBit(GptConfig.Unembedding unembedding) throws IOException {
    Path folder = temporary.resolve("new/folder");
    CharTokenizer characters = CharTokenizer.of("hello, 🌾\n");
    try (Gpt model = new Gpt(backend, config(unembedding), ParameterSource.random(1))) {
      ModelFolder.save(folder, model, characters, DType.F32, Map.of("seed", "1"));
      try (ModelFolder again = ModelFolder.open(folder);
          LanguageModel loaded = again.load(backend)) {
        assertEquals(model.config(), again.config());
        assertSame(numbers(model), numbers(loaded));
        assertEquals("1", again.metadata().get("seed"));
        Tokenizer tokenizer = again.tokenizer().orElseThrow();
        assertEquals("lo🌾", tokenizer.decode(tokenizer.encode("lo🌾")));
      }
    }
    assertEquals(Set.of("config.json", "char_tokenizer.json", "model.safetensors"), names(folder));
  }

  private static Set<String> names(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.map(f -> f.getFileName().toString()).collect(Collectors.toSet());
    }
  }

  @ParameterizedTest
  @CsvSource({"BF16, bf16-prefix-tied", "F16, f16-bare-untied", "F32, f32-prefix-tied"})
  void narrowStorageKeepsWhatFits(DType storage, String name) throws IOException {
    Path folder = temporary.resolve("narrow");
    try (ModelFolder golden = ModelFolder.open(Golden.path(name));
        LanguageModel model = golden.load(backend)) {
      ModelFolder.save(folder, model, null, storage, Map.of());
    }
    try (ModelFolder again = ModelFolder.open(folder);
        LanguageModel loaded = again.load(backend);
        Safetensors file = Safetensors.open(folder.resolve("model.safetensors"))) {
      assertSame(Golden.expected(name), numbers(loaded));
      for (Safetensors.Entry e : file.entries()) {
        assertEquals(storage, e.dtype());
        assertTrue(e.name().startsWith("transformer.") || e.name().equals("lm_head.weight"));
      }
      assertEquals(
          java.util.List.of(4L, 12L), file.find("transformer.h.1.attn.c_attn.weight").dimensions());
    }
  }

  @Test
  void ownChoicesAreKeptAndAreNoGpt2() throws IOException {
    GptConfig own =
        config(GptConfig.Unembedding.SEPARATE)
            .with(GptConfig.NormPlacement.POST, GptConfig.Positions.SINUSOIDAL, Activation.RELU)
            .with(GptConfig.Unembedding.TIED, GptConfig.Bias.NO)
            .withWindow(3);
    Path folder = temporary.resolve("own");
    try (Gpt model = new Gpt(backend, own, ParameterSource.random(2))) {
      ModelFolder.save(folder, model, null, DType.F32, Map.of());
      try (ModelFolder again = ModelFolder.open(folder);
          LanguageModel loaded = again.load(backend)) {
        assertEquals(own, again.config());
        assertSame(numbers(model), numbers(loaded));
      }
    }
    assertTrue(Files.readString(folder.resolve("config.json")).contains("\"quern_gpt\""));
    edit(folder.resolve("config.json"), "\"sinusoidal\"", "\"learned\"");
    assertTrue(failure(folder).contains("tensor 'wpe.weight': expected shape [5, 6], found none"));
  }

  @Test
  void bigramsToo() throws IOException {
    Path folder = temporary.resolve("bigram");
    try (Bigram model = new Bigram(backend, 7, 4, ParameterSource.random(3))) {
      ModelFolder.save(folder, model, null, DType.F32, Map.of());
      try (ModelFolder again = ModelFolder.open(folder);
          LanguageModel loaded = again.load(backend)) {
        assertInstanceOf(Bigram.class, loaded);
        assertEquals(ModelFolder.Kind.BIGRAM, again.kind());
        assertEquals(4, again.context());
        assertThrows(IllegalStateException.class, again::config);
        assertSame(numbers(model), numbers(loaded));
      }
    }
    edit(folder.resolve("config.json"), "\"vocab_size\": 7", "\"vocab_size\": 16777216");
    assertTrue(failure(folder).contains("vocab_size"), "without an allocation of 1 PB");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"vocab_size\": 11|\"vocab_size\": 12|tensor 'wte.weight': expected shape [12, 4], found"
            + " shape [11, 4]. By config.json (vocab_size, n_embd)",
        "\"vocab_size\": 11|\"vocab_size\": 16777216|expected shape [16777216, 4], found shape [11,"
            + " 4]",
        "\"vocab_size\": 11|\"vocab_size\": 99999999999|key 'vocab_size': expected a whole number"
            + " from 1 to 16777216, found 99999999999",
        "\"vocab_size\": 11|\"vocab_size\": -11|key 'vocab_size': expected a whole number from 1 to"
            + " 16777216, found -11",
        "\"vocab_size\": 11|\"vocab_size\": 11.0|key 'vocab_size': expected a whole number from 1"
            + " to 16777216, found 11.0",
        "\"vocab_size\": 11|\"vocab_size\": \"11\"|key 'vocab_size': expected a whole number from 1"
            + " to 16777216, found '11'",
        "\"vocab_size\": 11,||key 'vocab_size': expected a whole number from 1 to 16777216, found"
            + " none",
        "\"vocab_size\": 11|\"vocab_size\": 11, \"vocab_size\": 11|key 'vocab_size': expected it"
            + " once, found it twice",
        "\"n_positions\": 6|\"n_positions\": 7|tensor 'wpe.weight': expected shape [7, 4], found"
            + " shape [6, 4]. By config.json (n_positions",
        "\"n_embd\": 4|\"n_embd\": 8|tensor 'wte.weight': expected shape [11, 8], found shape [11,"
            + " 4]",
        "\"n_inner\": 12|\"n_inner\": null|tensor 'h.0.mlp.c_fc.weight': expected shape [4, 16],"
            + " found shape [4, 12]",
        "\"n_layer\": 2|\"n_layer\": 3|tensor 'h.2.mlp.c_fc.weight': expected shape [4, 12], found"
            + " none. By config.json (n_layer",
        "\"n_layer\": 2|\"n_layer\": 60000|tensor 'h.59999.mlp.c_fc.weight': expected shape [4,"
            + " 12], found none",
        "\"n_layer\": 2|\"n_layer\": 1|tensor 'h.1.attn.c_attn.bias': expected none, by the choices"
            + " in config.json, found [12]. Set n_layer",
        "\"n_head\": 2|\"n_head\": 3|key 'n_head': expected a divisor of n_embd 4, found 3",
        "\"model_type\": \"gpt2\"|\"model_type\": \"llama\"|key 'model_type': expected gpt2,"
            + " openai-gpt, quern_gpt or quern_bigram, found 'llama'",
        "\"gelu_new\"|\"silu\"|key 'activation_function': expected gelu_new, gelu_pytorch_tanh,"
            + " gelu or relu, found 'silu'",
        "\"gelu_new\"|7|key 'activation_function': expected a string, found 7",
        "1e-05|0|key 'layer_norm_epsilon': expected a number in (0, 1), found 0.0",
        "\"attn_pdrop\": 0.1|\"attn_pdrop\": 1|key 'attn_pdrop': expected a number in [0, 1), found"
            + " 1.0",
        "\"attn_pdrop\": 0.1|\"scale_attn_weights\": false|key 'scale_attn_weights': expected true",
        "\"attn_pdrop\": 0.1|\"scale_attn_by_inverse_layer_idx\": true|key"
            + " 'scale_attn_by_inverse_layer_idx': expected false",
        "\"attn_pdrop\": 0.1|\"quern_bias\": false|'h.0.attn.c_attn.bias': expected none, by the"
            + " choices in config.json",
        "\"attn_pdrop\": 0.1|\"quern_norm\": \"post\"|'ln_f.bias': expected none, by the choices in"
            + " config.json",
        "\"attn_pdrop\": 0.1|\"quern_positions\": \"sinusoidal\"|'wpe.weight': expected none, by"
            + " the choices in config.json",
        "\"tie_word_embeddings\": true|\"tie_word_embeddings\": 1|key 'tie_word_embeddings':"
            + " expected true or false, found 1",
      })
  void configThatDisagreesIsRefused(String what, String by, String expected) throws IOException {
    Path folder = copy("f32-prefix-tied");
    edit(folder.resolve("config.json"), what, by == null ? "" : by);
    String message = failure(folder);
    assertTrue(message.contains(expected), message);
    assertTrue(message.contains(folder.toString()), message);
  }

  @Test
  void missingHeadIsRefused() throws IOException {
    Path folder = copy("f32-unaligned");
    edit(
        folder.resolve("config.json"),
        "\"tie_word_embeddings\": true",
        "\"tie_word_embeddings\": false");
    String message = failure(folder);
    assertTrue(message.contains("tensor 'lm_head.weight': expected shape [11, 4], found none"));
  }

  @Test
  void integersAreNoWeights() throws IOException {
    Path folder = copy("f32-prefix-tied");
    Path file = folder.resolve("model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    String header = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1);
    int at = header.indexOf("F32", header.indexOf("h.1.ln_2.bias"));
    bytes[at] = 'I';
    Files.write(file, bytes);
    String message = failure(folder);
    assertTrue(
        message.contains(
            "model.safetensors: tensor 'transformer.h.1.ln_2.bias': expected F32, F16 or BF16,"
                + " found I32"),
        message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "model-00002-of-00003|../f32/model|expected a name of a .safetensors file in the folder,"
            + " found '../f32/model.safetensors'",
        "model-00002-of-00003|/etc/model|expected a name of a .safetensors file in the folder,"
            + " found '/etc/model.safetensors'",
        "model-00002-of-00003|model-00004-of-00003|'model-00004-of-00003.safetensors', which is"
            + " missing",
        ".wte.weight\"|.wtf.weight\"|tensor 'transformer.wtf.weight': expected it, as"
            + " model.safetensors.index.json says, found none",
        "\"weight_map\"|\"weights\"|key 'weight_map': expected an object, found none",
        "\"model-00002-of-00003.safetensors\"|2|expected a string, found 2",
      })
  void badIndexIsRefused(String what, String by, String expected) throws IOException {
    Path folder = copy("bf16-sharded-untied");
    edit(folder.resolve("model.safetensors.index.json"), what, by);
    String message = failure(folder);
    assertTrue(message.contains(expected), message);
  }

  @Test
  void missingFilesAreNamed() throws IOException {
    String message =
        assertThrows(UncheckedIOException.class, () -> ModelFolder.open(temporary.resolve("none")))
            .getMessage();
    assertTrue(message.endsWith("none: there is no such folder"), message);
    assertTrue(failure(temporary).contains("expected config.json, found none"));
    Path folder = copy("f32-prefix-tied");
    Files.delete(folder.resolve("model.safetensors"));
    assertTrue(failure(folder).contains("expected model.safetensors or "));
    Files.write(folder.resolve("pytorch_model.bin"), new byte[1]);
    assertTrue(failure(folder).contains("found pytorch_model.bin only. Pickled weights"));
  }

  @Test
  void tokenizerMustFitTheModel() throws IOException {
    Path folder = copy("f32-prefix-tied"); // 11 tokens
    TokenizerFiles.write(folder, CharTokenizer.of("abcdefghijk"));
    try (ModelFolder f = ModelFolder.open(folder)) {
      assertEquals(11, f.tokenizer().orElseThrow().vocabulary());
    }
    TokenizerFiles.write(folder, CharTokenizer.of("abc"));
    try (ModelFolder f = ModelFolder.open(folder)) {
      assertEquals(3, f.tokenizer().orElseThrow().vocabulary(), "some models are padded");
    }
    TokenizerFiles.write(folder, CharTokenizer.of("abcdefghijkl"));
    try (ModelFolder f = ModelFolder.open(folder)) {
      String message = assertThrows(FormatException.class, f::tokenizer).getMessage();
      assertTrue(
          message.contains(
              "config.json: key 'vocab_size': expected at least 12, the ids of the tokenizer in"
                  + " the folder, found 11"),
          message);
      try (Gpt model = new Gpt(backend, f.config(), ParameterSource.random(1))) {
        assertThrows(
            IllegalArgumentException.class,
            () ->
                ModelFolder.save(
                    folder, model, CharTokenizer.of("abcdefghijkl"), DType.F32, Map.of()));
      }
    }
  }

  @Test
  void savingOverAnotherModelLeavesNothingOfIt() throws IOException {
    Path folder = copy("bf16-sharded-untied");
    try (var files = Files.list(Golden.path("bpe"))) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
    try (Gpt model =
        new Gpt(backend, config(GptConfig.Unembedding.TIED), ParameterSource.random(1))) {
      ModelFolder.save(folder, model, CharTokenizer.of("abc"), DType.F32, Map.of());
      try (ModelFolder again = ModelFolder.open(folder);
          LanguageModel loaded = again.load(backend)) {
        assertSame(numbers(model), numbers(loaded));
        assertEquals("characters, 3", again.tokenizer().orElseThrow().description());
      }
      ModelFolder.save(folder, model, null, DType.F32, Map.of());
      try (ModelFolder again = ModelFolder.open(folder)) {
        assertTrue(again.tokenizer().isEmpty());
      }
    }
  }

  @Test
  void failedSaveKeepsTheOldWeights() throws IOException {
    Path folder = temporary.resolve("kept");
    try (Gpt model =
        new Gpt(backend, config(GptConfig.Unembedding.TIED), ParameterSource.random(1))) {
      ModelFolder.save(folder, model, null, DType.F32, Map.of());
      byte[] old = Files.readAllBytes(folder.resolve("model.safetensors"));
      Parameter last = model.parameters().all().getLast();
      backend.upload(last.tensor(), 1, 2, 3, 1e6f, 5, 6);
      String message =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> ModelFolder.save(folder, model, null, DType.F16, Map.of()))
              .getMessage();
      assertEquals(
          "parameter 'ln_f.bias': F16 holds numbers up to 65504, found 1000000.0; use BF16 or F32",
          message);
      assertArrayEquals(old, Files.readAllBytes(folder.resolve("model.safetensors")));
      assertEquals(Set.of("config.json", "model.safetensors"), names(folder));
      assertThrows(
          IllegalArgumentException.class,
          () -> ModelFolder.save(folder, model, null, DType.I32, Map.of()));
    }
  }

  @Test
  void unwritableFolderIsNamed() throws IOException {
    Path file = Files.write(temporary.resolve("file"), new byte[1]);
    try (Gpt model =
        new Gpt(backend, config(GptConfig.Unembedding.TIED), ParameterSource.random(1))) {
      for (Path folder : new Path[] {file, file.resolve("below")}) {
        String message =
            assertThrows(
                    UncheckedIOException.class,
                    () -> ModelFolder.save(folder, model, null, DType.F32, Map.of()))
                .getMessage();
        assertTrue(message.contains("cannot write " + folder), message);
      }
      Files.createDirectories(temporary.resolve("f/model.safetensors"));
      String message =
          assertThrows(
                  UncheckedIOException.class,
                  () -> ModelFolder.save(temporary.resolve("f"), model, null, DType.F32, Map.of()))
              .getMessage();
      assertTrue(message.contains("f/model.safetensors: is not a regular file"), message);
      assertFalse(names(temporary.resolve("f")).stream().anyMatch(n -> n.endsWith(".tmp")));
    }
  }
}
