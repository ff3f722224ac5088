package org.quern.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.ParameterSource;
import org.quern.text.CharTokenizer;
import org.quern.text.Gpt2Tokenizer;
import org.quern.text.Tokenizer;

class LlmcTest {
  private static final Path FOLDER = Golden.path("llmc");

  private final HostBackend backend = new HostBackend();
  @TempDir Path temporary;

  @AfterEach
  void noLeaks() {
    backend.close();
  }

  /// A golden file with a word of its header changed.
  private Path with(String name, int word, int value) throws IOException {
    byte[] bytes = Files.readAllBytes(FOLDER.resolve(name));
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(4 * word, value);
    return Files.write(temporary.resolve(name), bytes);
  }

  private static String failure(Path file) {
    return assertThrows(
            FormatException.class,
            () -> {
              try (ModelSource source = ModelSource.open(file)) {
                source.tokenizer();
              }
            })
        .getMessage();
  }

  @ParameterizedTest
  @CsvSource({"model-f32", "model-bf16"})
  void readsWhatLlmcsWriterWrote(String name) throws IOException {
    try (ModelSource source = ModelSource.open(FOLDER.resolve(name + ".bin"));
        LanguageModel model = source.load(backend)) {
      assertEquals(GptConfig.gpt2(11, 6, 8, 2, 2), source.config());
      assertEquals(Golden.digests("llmc/" + name), Golden.digests(model));
      assertEquals(Golden.digests("llmc/" + name), Golden.digests(source.values()));
    }
  }

  @ParameterizedTest
  @CsvSource({"model-f32, F32", "model-bf16, BF16"})
  void writesTheSameBytes(String name, Storage storage) throws IOException {
    Path file = temporary.resolve("again.bin");
    long[] sum = {0};
    try (ModelSource source = ModelSource.open(FOLDER.resolve(name + ".bin"))) {
      LlmcCheckpoint.write(file, source.modelConfig(), source.values(), storage, n -> sum[0] += n);
      assertEquals(
          ParameterValues.shapes(source.config()).values().stream()
              .mapToLong(s -> s.elements())
              .sum(),
          sum[0]);
    }
    assertEquals(-1, Files.mismatch(FOLDER.resolve(name + ".bin"), file));
  }

  @Test
  void parametersAreThoseOfTheModel() {
    for (GptConfig config :
        new GptConfig[] {
          GptConfig.gpt2(13, 5, 6, 2, 3),
          GptConfig.gpt2(13, 5, 6, 2, 3)
              .with(GptConfig.Unembedding.SEPARATE, GptConfig.Bias.NO)
              .with(
                  GptConfig.NormPlacement.POST,
                  GptConfig.Positions.SINUSOIDAL,
                  org.quern.core.Activation.RELU)
        }) {
      try (Gpt model = new Gpt(backend, config, ParameterSource.random(1))) {
        assertEquals(
            ParameterValues.of(model).shapes().entrySet().stream().toList(),
            ParameterValues.shapes(config).entrySet().stream().toList());
      }
    }
  }

  @Test
  void readsTheStateForComparison() {
    Path config = FOLDER.resolve("model-f32.bin");
    try (LlmcState state = LlmcState.open(FOLDER.resolve("model-f32_debug_state.bin"), config)) {
      assertEquals(2, state.batch());
      assertEquals(5, state.length());
      assertEquals(10, state.ids().length);
      double loss = 0;
      for (int t = 0; t < 10; t++) { // the file's loss is that of the file's logits
        float[] logits = state.logits(t);
        double sum = 0;
        for (float x : logits) {
          sum += Math.exp(x);
        }
        loss += (Math.log(sum) - logits[state.targets()[t]]) / 10;
      }
      assertEquals(loss, state.loss(), 1e-6);
      assertEquals(88, state.gradient("wte.weight").length);
      assertThrows(IllegalArgumentException.class, () -> state.gradient("wte"));
    }
    assertTrue(LlmcState.recognizes(FOLDER.resolve("model-f32_debug_state.bin")));
    assertTrue(!LlmcState.recognizes(FOLDER.resolve("model-f32.bin")));
  }

  @Test
  void badStatesAreRefused() throws IOException {
    Path config = FOLDER.resolve("model-f32.bin");
    String name = "model-f32_debug_state.bin";
    Map<Path, String> bad = new TreeMap<>();
    for (int[] change :
        new int[][] {{1, 1}, {2, 0}, {2, 1 << 30}, {3, 7}, {2, 3}, {256, 11}, {261, -1}}) {
      Path file = with(name, change[0], change[1]);
      String message =
          assertThrows(FormatException.class, () -> LlmcState.open(file, config)).getMessage();
      bad.put(Path.of(change[0] + "-" + change[1]), message);
    }
    assertTrue(bad.toString().contains("a token from 0 to 10, found 11"), bad.toString());
    // Of a model with a layer more, which fits if the padding is shorter.
    Path other = temporary.resolve("other.bin");
    try (Gpt model = new Gpt(backend, GptConfig.gpt2(11, 6, 8, 3, 2), ParameterSource.random(1))) {
      LlmcCheckpoint.write(
          other, ModelConfig.of(model), ParameterValues.of(model), Storage.F32, n -> {});
    }
    assertTrue(
        assertThrows(FormatException.class, () -> LlmcState.open(FOLDER.resolve(name), other))
            .getMessage()
            .contains("of another model than the checkpoint"));
    assertTrue(failure(FOLDER.resolve(name)).contains("quern verify --llmc"));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 7, expected a model",
    "1, 4, 'version: expected 3 (f32) or 5 (bf16), found 4'",
    "1, 5, 'The header'",
    "2, 0, 'context: expected a number from 1'",
    "2, 7, 'bytes, as the header says'",
    "3, 129, 'padded vocabulary: expected at least'",
    "4, 65536, 'The file is cut off'",
    "5, 3, 'expected a divisor of the width 8, found 3'",
    "6, 1048576, 'The file is cut off'",
    "7, 2147483647, 'rows: expected a number from 1'"
  })
  void badHeadersAreRefused(int word, int value, String message) throws IOException {
    String found = failure(with("model-f32.bin", word, value));
    assertTrue(found.contains(message) || word == 1 && value == 5, found);
  }

  @Test
  void whatIsNoModelIsTold() throws IOException {
    Path file = temporary.resolve("x.bin");
    Files.write(file, new byte[0]);
    assertTrue(failure(file).contains("expected a model"), failure(file));
    Files.write(file, new byte[] {'P', 'K', 3, 4});
    assertTrue(failure(file).contains("Pickled weights can run code"), failure(file));
    assertTrue(
        failure(Golden.path("f32-prefix-tied/model.safetensors"))
            .contains("Choose the folder that they lie in"));
    assertTrue(
        failure(FOLDER.resolve("gpt2_tokenizer.bin")).contains("Choose the checkpoint beside it"));
    Files.write(
        file, java.util.Arrays.copyOf(Files.readAllBytes(FOLDER.resolve("model-f32.bin")), 900));
    assertTrue(failure(file).contains("a header of 1024 bytes"), failure(file));
    assertTrue(
        assertThrows(
                java.io.UncheckedIOException.class,
                () -> ModelSource.open(temporary.resolve("none")))
            .getMessage()
            .contains("there is no such file or folder"));
  }

  @Test
  void itsTokenizerOnlyDecodes() throws IOException {
    Path copy = Files.copy(FOLDER.resolve("model-f32.bin"), temporary.resolve("m.bin"));
    Path tokens =
        Files.copy(FOLDER.resolve("gpt2_tokenizer.bin"), temporary.resolve("gpt2_tokenizer.bin"));
    try (ModelSource source = ModelSource.open(copy)) {
      Tokenizer tokenizer = source.tokenizer().orElseThrow();
      assertEquals(10, tokenizer.vocabulary());
      assertEquals("the of\né", tokenizer.decode(6, 7, 3, 4));
      assertEquals(9, tokenizer.endOfText().orElseThrow());
      String message =
          assertThrows(IllegalArgumentException.class, () -> tokenizer.encode("the")).getMessage();
      assertTrue(message.contains("put vocab.json and merges.txt beside it"), message);
      assertArrayEquals(Files.readAllBytes(tokens), LlmcTokenizer.write(tokenizer));
      TokenizerFiles.write(temporary, CharTokenizer.of("the"));
      assertEquals(3, source.tokenizer().orElseThrow().vocabulary());
    }
  }

  @Test
  void gpt2sTokensMakeTheWholeTokenizer() {
    byte[] bytes = LlmcTokenizer.write(Gpt2Tokenizer.get());
    assertEquals(Gpt2Tokenizer.get(), LlmcTokenizer.read(MemorySegment.ofArray(bytes), "x"));
    bytes[1025] ^= 1; // the first token
    assertThrows(
        IllegalArgumentException.class,
        () -> LlmcTokenizer.read(MemorySegment.ofArray(bytes), "x").encode("a"));
  }

  @Test
  void badTokenizersAreRefused() throws IOException {
    byte[] good = Files.readAllBytes(FOLDER.resolve("gpt2_tokenizer.bin"));
    for (int[] change :
        new int[][] {{0, 1}, {4, 3}, {8, 0}, {8, 11}, {8, 127}, {12, 10}, {1024, 0}}) {
      byte[] bytes = good.clone();
      bytes[change[0]] = (byte) change[1];
      assertThrows(
          FormatException.class,
          () -> LlmcTokenizer.read(MemorySegment.ofArray(bytes), "x"),
          change[0] + "");
    }
    for (int length = 0; length < good.length; length++) {
      byte[] cut = java.util.Arrays.copyOf(good, length);
      assertThrows(
          FormatException.class, () -> LlmcTokenizer.read(MemorySegment.ofArray(cut), "x"));
    }
  }

  @Test
  void whatIsNoGpt2IsNotWritten() {
    GptConfig base = GptConfig.gpt2(13, 5, 6, 1, 3);
    for (GptConfig config :
        new GptConfig[] {
          base.with(GptConfig.Unembedding.SEPARATE, GptConfig.Bias.YES),
          base.with(GptConfig.Unembedding.TIED, GptConfig.Bias.NO),
          base.withWindow(3)
        }) {
      try (Gpt model = new Gpt(backend, config, ParameterSource.random(1))) {
        assertTrue(
            assertThrows(IllegalArgumentException.class, () -> write(model, Storage.F32))
                .getMessage()
                .contains("llm.c computes GPT-2 only"));
      }
    }
    try (Gpt model = new Gpt(backend, base, ParameterSource.random(1))) {
      assertTrue(
          assertThrows(IllegalArgumentException.class, () -> write(model, Storage.F16))
              .getMessage()
              .contains("llm.c has F32 and BF16"));
    }
    assertTrue(!Files.exists(temporary.resolve("no.bin")));
  }

  private void write(Gpt model, Storage storage) {
    LlmcCheckpoint.write(
        temporary.resolve("no.bin"),
        ModelConfig.of(model),
        ParameterValues.of(model),
        storage,
        n -> {});
  }
}
