package org.quern.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.ParameterSource;
import org.quern.text.BpeTokenizer;
import org.quern.text.CharTokenizer;
import org.quern.text.TokenTable;
import org.quern.text.Tokenizer;

class GgufTest {
  private static final Path FOLDER = Golden.path("gguf");

  private final HostBackend backend = new HostBackend();
  @TempDir Path temporary;

  @AfterEach
  void noLeaks() {
    backend.close();
  }

  private Path write(
      Path from, Storage storage, @Nullable Tokenizer tokenizer, Map<String, String> metadata) {
    Path to = temporary.resolve("written.gguf");
    try (ModelSource source = ModelSource.open(from)) {
      GgufWriter.write(
          to, source.modelConfig(), source.values(), tokenizer, storage, metadata, n -> {});
    }
    return to;
  }

  @ParameterizedTest
  @CsvSource({"f32", "f16", "q8_0"})
  void readsWhatGgmlsPackageWrote(String name) throws IOException {
    try (ModelSource source = ModelSource.open(FOLDER.resolve(name + ".gguf"));
        LanguageModel model = source.load(backend)) {
      assertEquals(GptConfig.gpt2(7, 5, 32, 1, 2), source.config());
      assertEquals(Golden.digests("gguf/" + name), Golden.digests(model));
      assertEquals(Golden.digests("gguf/" + name), Golden.digests(source.values()));
      assertTrue(source.tokenizer().isEmpty());
    }
  }

  /// The tensors of a file that this project writes of the F32 file are those of ggml's package,
  /// byte for byte: zeros, ties and subnormal scales are among them.
  @ParameterizedTest
  @CsvSource({"f32, F32", "f16, F16", "q8_0, Q8_0"})
  void roundsAsGgmlDoes(String name, Storage storage) throws IOException {
    Path file = write(FOLDER.resolve("f32.gguf"), storage, null, Map.of());
    MemorySegment theirs =
        MemorySegment.ofArray(Files.readAllBytes(FOLDER.resolve(name + ".gguf")));
    MemorySegment ours = MemorySegment.ofArray(Files.readAllBytes(file));
    List<Safetensors.Entry> expected = GgufReader.read(theirs, "theirs").tensors();
    List<Safetensors.Entry> found = GgufReader.read(ours, "ours").tensors();
    int compared = 0;
    for (Safetensors.Entry e : expected) {
      if (e.name().equals("output.weight")) {
        continue; // the same as the embedding, hence not written
      }
      Safetensors.Entry f =
          found.stream().filter(o -> o.name().equals(e.name())).findFirst().orElseThrow();
      assertEquals(e.toString(), f.toString());
      assertArrayEquals(
          e.data().toArray(ValueLayout.JAVA_BYTE),
          f.data().toArray(ValueLayout.JAVA_BYTE),
          e.name());
      compared++;
    }
    assertEquals(found.size(), compared);
  }

  @ParameterizedTest
  @EnumSource(Storage.class)
  void writesTheSameBytesAgain(Storage storage) throws IOException {
    Map<String, String> metadata = Map.of("seed", "1", "a key", "é");
    Path first = write(FOLDER.resolve("f32.gguf"), storage, null, metadata);
    byte[] bytes = Files.readAllBytes(first);
    try (ModelSource source = ModelSource.open(first)) {
      assertEquals(metadata, source.metadata());
    }
    Path kept = Files.move(first, temporary.resolve("first.gguf"));
    byte[] again = Files.readAllBytes(write(kept, storage, null, metadata));
    if (storage == Storage.Q8_0) {
      // A block whose scale is 0 in F16 has bytes that its numbers, all 0, do not tell.
      MemorySegment table = tensor(bytes, "token_embd.weight");
      MemorySegment second = tensor(again, "token_embd.weight");
      for (int block = 0; block < 7; block++) {
        byte[] old = table.asSlice(34L * block, 34).toArray(ValueLayout.JAVA_BYTE);
        byte[] expected = old[0] == 0 && old[1] == 0 ? new byte[34] : old;
        byte[] found = second.asSlice(34L * block, 34).toArray(ValueLayout.JAVA_BYTE);
        assertArrayEquals(expected, found, "block " + block);
      }
      table.copyFrom(second);
    }
    assertArrayEquals(bytes, again);
  }

  private static MemorySegment tensor(byte[] file, String name) {
    MemorySegment all = MemorySegment.ofArray(file);
    MemorySegment data =
        GgufReader.read(all, "x").tensors().stream()
            .filter(t -> t.name().equals(name))
            .findFirst()
            .orElseThrow()
            .data();
    return all.asSlice(data.address(), data.byteSize());
  }

  @Test
  void anOutputMatrixOfItsOwnIsKept() throws IOException {
    GptConfig config =
        GptConfig.gpt2(13, 5, 32, 2, 4).with(GptConfig.Unembedding.SEPARATE, GptConfig.Bias.YES);
    Path file = temporary.resolve("own.gguf");
    try (Gpt model = new Gpt(backend, config, ParameterSource.random(1))) {
      GgufWriter.write(
          file,
          ModelConfig.of(model),
          ParameterValues.of(model),
          null,
          Storage.F32,
          Map.of(),
          n -> {});
      try (ModelSource source = ModelSource.open(file)) {
        assertEquals(config, source.config());
        assertEquals(Golden.digests(model), Golden.digests(source.values()));
      }
    }
  }

  @Test
  void readsTheTokenizer() throws IOException {
    Tokenizer own = TokenizerFiles.read(Golden.path("bpe")).orElseThrow();
    try (ModelSource source = ModelSource.open(FOLDER.resolve("tokens.gguf"))) {
      assertEquals(Golden.digests("gguf/tokens"), Golden.digests(source.values()));
      assertEquals(own.vocabulary() + 2, source.vocabulary());
      BpeTokenizer read = assertInstanceOf(BpeTokenizer.class, source.tokenizer().orElseThrow());
      assertEquals(((BpeTokenizer) own).tokens(), read.tokens());
      assertEquals(((BpeTokenizer) own).merges(), read.merges());
      assertEquals(own.endOfText(), read.endOfText());
    }
  }

  @Test
  void tokenizersSurvive() throws IOException {
    Path model = FOLDER.resolve("tokens.gguf");
    for (Tokenizer tokenizer :
        new Tokenizer[] {
          TokenizerFiles.read(Golden.path("bpe")).orElseThrow(),
          CharTokenizer.of("hello, 🌾\n"),
          TokenTable.of(List.of(new byte[] {-1}, new byte[] {' ', 'a'}), OptionalInt.of(1), "x")
        }) {
      try (ModelSource source = ModelSource.open(write(model, Storage.F32, tokenizer, Map.of()))) {
        Tokenizer read = source.tokenizer().orElseThrow();
        assertEquals(tokenizer.getClass(), read.getClass());
        assertEquals(tokenizer.vocabulary(), read.vocabulary());
        assertEquals(tokenizer.endOfText(), read.endOfText());
        for (int id = 0; id < read.vocabulary(); id++) {
          assertArrayEquals(tokenizer.bytes(id), read.bytes(id));
        }
      }
    }
  }

  @Test
  void everyCutIsRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(FOLDER.resolve("q8_0.gguf"));
    for (int length = 0; length < bytes.length; length += length < 1500 ? 1 : 997) {
      MemorySegment cut = MemorySegment.ofArray(Arrays.copyOf(bytes, length));
      assertThrows(FormatException.class, () -> GgufReader.read(cut, "cut"), "" + length);
    }
  }

  /// Whatever byte of the header changes: a model or a [FormatException].
  @Test
  void everyChangeIsReadOrRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(FOLDER.resolve("f16.gguf"));
    for (int at = 0; at < 1400; at++) {
      for (int by : new int[] {1, 0x80, 0xFF}) {
        byte[] changed = bytes.clone();
        changed[at] ^= (byte) by;
        try {
          GgufModel model = GgufModel.read(GgufReader.read(MemorySegment.ofArray(changed), "x"));
          model.tokenizer();
          WeightSource source = new WeightSource(model.weights());
          source.check(java.util.Objects.requireNonNull(model.config().gpt()));
        } catch (FormatException e) {
          assertTrue(e.getMessage().startsWith("x: "), e.getMessage());
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2.block_count, gpt2.block_counx, 'key ''gpt2.block_count'': expected a whole number'",
    "blk.0.ffn_up.bias, blk.0.ffn_ux.bias, 'found none. By its keys'",
    "gpt2.attention.head_count, gpt2.attention.head_counx, 'gpt2.attention.head_count'"
  })
  void whatIsMissingIsNamed(String what, String by, String message) throws IOException {
    byte[] bytes = Files.readAllBytes(FOLDER.resolve("f32.gguf"));
    String text = new String(bytes, java.nio.charset.StandardCharsets.ISO_8859_1);
    Path file =
        Files.write(
            temporary.resolve("x.gguf"),
            text.replace(what, by).getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
    String found =
        assertThrows(
                FormatException.class,
                () -> {
                  try (ModelSource source = ModelSource.open(file)) {
                    source.values();
                  }
                })
            .getMessage();
    assertTrue(found.contains(message), found);
  }

  @Test
  void whatDoesNotFitIsRefused() {
    assertTrue(
        assertThrows(
                IllegalArgumentException.class,
                () -> write(FOLDER.resolve("tokens.gguf"), Storage.Q8_0, null, Map.of()))
            .getMessage()
            .contains("Q8_0 needs rows of multiples of 32 numbers"));
    MemorySegment target = MemorySegment.ofArray(new byte[34]);
    float[] values = new float[32];
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, 1e9f}) {
      values[7] = bad;
      assertThrows(
          IllegalArgumentException.class, () -> Storage.Q8_0.write(target, values, 32), "" + bad);
    }
  }
}
