package org.quern.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.core.Activation;
import org.quern.core.DType;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.ParameterSource;
import org.quern.text.CharTokenizer;
import org.quern.text.Tokenizer;

class ModelFormatTest {
  private final HostBackend backend = new HostBackend();
  @TempDir Path temporary;

  @AfterEach
  void noLeaks() {
    backend.close();
  }

  private static List<String> convert(Path from, Path to, ModelFormat format, Storage storage) {
    long[] sum = {0};
    try (ModelSource source = ModelSource.open(from)) {
      List<String> remarks = format.write(source, to, storage, n -> sum[0] += n);
      assertTrue(sum[0] >= ModelFormat.numbers(source), "progress ends at the end");
      return remarks;
    }
  }

  private Path target(ModelFormat format) {
    return temporary.resolve(
        switch (format) {
          case HUGGING_FACE, NANOGPT -> "folder-" + format;
          case GGUF -> "x.gguf";
          case LLMC -> "x.bin";
        });
  }

  /// From a folder to each format and back: the same bytes of weights, the same tokenizer.
  @ParameterizedTest
  @EnumSource(ModelFormat.class)
  void roundTripsAreBitExact(ModelFormat format) throws IOException {
    GptConfig config = GptConfig.gpt2(13, 5, 8, 2, 2);
    Path start = temporary.resolve("start");
    CharTokenizer characters = CharTokenizer.of("hello,\n");
    for (DType storage : List.of(DType.F32, DType.BF16)) {
      try (Gpt model = new Gpt(backend, config, ParameterSource.random(7))) {
        ModelFolder.save(start, model, characters, storage, Map.of("seed", "7"));
      }
      Path there = target(format);
      List<String> remarks = convert(start, there, format, format.exactly(Storage.of(storage)));
      assertEquals(format == ModelFormat.LLMC ? 1 : 0, remarks.size(), remarks.toString());
      Path back = temporary.resolve("back");
      convert(there, back, ModelFormat.HUGGING_FACE, Storage.of(storage));
      try (Safetensors a = Safetensors.open(start.resolve(Weights.SINGLE));
          Safetensors b = Safetensors.open(back.resolve(Weights.SINGLE))) {
        assertEquals(a.entries().toString(), b.entries().toString());
        for (int i = 0; i < a.entries().size(); i++) {
          assertEquals(-1, a.entries().get(i).data().mismatch(b.entries().get(i).data()));
        }
        if (format != ModelFormat.LLMC) {
          assertEquals(a.metadata(), b.metadata());
          assertEquals(
              -1, Files.mismatch(start.resolve(Weights.SINGLE), back.resolve(Weights.SINGLE)));
        }
      }
      try (ModelSource again = ModelSource.open(back);
          ModelSource middle = ModelSource.open(there)) {
        assertEquals(config, again.config());
        Tokenizer read = middle.tokenizer().orElseThrow();
        for (int id = 0; id < characters.vocabulary(); id++) {
          assertArrayEquals(characters.bytes(id), read.bytes(id));
        }
        if (format != ModelFormat.LLMC) {
          assertEquals(characters.description(), again.tokenizer().orElseThrow().description());
        }
      }
    }
  }

  @Test
  void readsNanoGpt() throws IOException {
    Path folder = Golden.path("nanogpt");
    try (ModelSource source = ModelSource.open(folder);
        LanguageModel model = source.load(backend)) {
      GptConfig c = source.config();
      assertEquals(Activation.GELU_ERF, c.activation());
      assertEquals(GptConfig.Bias.NO, c.bias());
      assertEquals(GptConfig.Unembedding.TIED, c.unembedding());
      assertEquals(6, c.context());
      assertEquals(0, c.dropout());
      assertEquals(Golden.digests("nanogpt/model"), Golden.digests(model));
      assertEquals(Golden.digests("nanogpt/model"), Golden.digests(source.values()));
    }
    Path written = temporary.resolve("nano");
    convert(folder, written, ModelFormat.NANOGPT, Storage.F32);
    try (ModelSource a = ModelSource.open(folder);
        ModelSource b = ModelSource.open(written);
        Safetensors file = Safetensors.open(written.resolve(Weights.SINGLE))) {
      assertEquals(a.config(), b.config());
      assertEquals(Golden.digests("nanogpt/model"), Golden.digests(b.values()));
      assertEquals(
          List.of(24L, 8L),
          java.util.Objects.requireNonNull(file.find("transformer.h.0.attn.c_attn.weight"))
              .dimensions());
      assertTrue(file.find("lm_head.weight") != null);
    }
  }

  /// minGPT has an output matrix of its own, biases, and GPT-2's GELU, and none is in its words.
  @Test
  void readsMinGpt() throws IOException {
    Path folder = temporary.resolve("min");
    GptConfig config =
        GptConfig.gpt2(13, 5, 8, 2, 2).with(GptConfig.Unembedding.SEPARATE, GptConfig.Bias.YES);
    try (Gpt model = new Gpt(backend, config, ParameterSource.random(7))) {
      ModelFolder.save(folder, model, null, DType.F32, Map.of());
      Files.writeString(
          folder.resolve(ModelConfig.FILE),
          """
          {"model_type": null, "n_layer": 2, "n_head": 2, "n_embd": 8, "vocab_size": 13,
           "block_size": 5, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "attn_pdrop": 0.0}
          """);
      try (ModelSource source = ModelSource.open(folder)) {
        assertEquals(config, source.config());
        assertEquals(Golden.digests(model), Golden.digests(source.values()));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"x.gguf, GGUF", "X.GGUF, GGUF", "x.bin, LLMC", "x, HUGGING_FACE", "/, HUGGING_FACE"})
  void namesTellTheFormat(String name, ModelFormat format) {
    assertEquals(format, ModelFormat.of(Path.of(name)));
  }

  @Test
  void whatAFormatCannotHoldIsRefusedBeforeAnythingIsWritten() {
    GptConfig base = GptConfig.gpt2(13, 5, 8, 1, 2);
    Path from = temporary.resolve("from");
    for (GptConfig config :
        List.of(
            base.with(
                GptConfig.NormPlacement.POST, GptConfig.Positions.LEARNED, Activation.GELU_TANH),
            base.with(
                GptConfig.NormPlacement.PRE, GptConfig.Positions.SINUSOIDAL, Activation.GELU_TANH),
            base.with(GptConfig.NormPlacement.PRE, GptConfig.Positions.LEARNED, Activation.RELU),
            base.withWindow(2))) {
      try (Gpt model = new Gpt(backend, config, ParameterSource.random(7))) {
        ModelFolder.save(from, model, null, DType.F32, Map.of());
      }
      for (ModelFormat format : List.of(ModelFormat.GGUF, ModelFormat.LLMC, ModelFormat.NANOGPT)) {
        Path to = target(format);
        assertTrue(
            assertThrows(
                    IllegalArgumentException.class, () -> convert(from, to, format, Storage.F32))
                .getMessage()
                .contains("choose another format"));
        assertTrue(!Files.exists(to), format.toString());
      }
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> convert(from, target(ModelFormat.LLMC), ModelFormat.LLMC, Storage.F16));
  }

  @Test
  void whatEndsTheWorkLeavesTheFileAsItWas() throws IOException {
    Path file = Files.writeString(temporary.resolve("x.gguf"), "old");
    try (ModelSource source = ModelSource.open(Golden.path("gguf/f32.gguf"))) {
      assertThrows(
          IllegalStateException.class,
          () ->
              ModelFormat.GGUF.write(
                  source,
                  file,
                  Storage.F32,
                  n -> {
                    throw new IllegalStateException("stop");
                  }));
    }
    assertEquals("old", Files.readString(file));
    try (var files = Files.list(temporary)) {
      assertEquals(1, files.count());
    }
  }
}
