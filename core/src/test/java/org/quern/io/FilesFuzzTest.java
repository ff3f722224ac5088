package org.quern.io;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.ByteArrayInputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.quern.core.Shape;
import org.quern.gpt.GptConfig;
import org.quern.text.Tokenizer;

/// Whatever the bytes: a value or a [FormatException], nothing else. Plain test runs try the seeds
/// under `FilesFuzzTestInputs`; with `JAZZER_FUZZ=1` each method searches for more.
class FilesFuzzTest {
  @FuzzTest(maxDuration = "60s")
  void safetensors(byte[] bytes) {
    try (Safetensors file = Safetensors.of(MemorySegment.ofArray(bytes), "fuzz")) {
      long sum = 0;
      for (Safetensors.Entry e : file.entries()) {
        sum += e.data().toArray(ValueLayout.JAVA_BYTE).length;
      }
      if (sum > bytes.length) {
        throw new AssertionError("more data than the file has");
      }
    } catch (FormatException e) {
      // as it should be
    }
  }

  /// The header alone, so that the search need not find its length.
  @FuzzTest(maxDuration = "60s")
  void header(byte[] json) {
    safetensors(SafetensorsTest.file(json, 16));
  }

  @FuzzTest(maxDuration = "60s")
  void config(byte[] bytes) {
    try {
      ModelConfig.read(Json.readObject("fuzz", new ByteArrayInputStream(bytes)));
    } catch (FormatException e) {
      // as it should be
    }
  }

  @FuzzTest(maxDuration = "60s")
  void characters(byte[] bytes) {
    tokenizer(Map.of("char_tokenizer.json", bytes));
  }

  @FuzzTest(maxDuration = "60s")
  void combined(byte[] bytes) {
    tokenizer(Map.of("tokenizer.json", bytes));
  }

  /// A vocabulary, a line of two dashes, and merges.
  @FuzzTest(maxDuration = "60s")
  void vocabularyAndMerges(byte[] bytes) {
    String all = new String(bytes, StandardCharsets.ISO_8859_1);
    int cut = all.indexOf("\n--\n");
    String vocabulary = cut < 0 ? "{\"a\":0,\"b\":1,\"ab\":2}" : all.substring(0, cut);
    String merges = cut < 0 ? all : all.substring(cut + 4);
    Map<String, byte[]> files = new HashMap<>();
    files.put("vocab.json", vocabulary.getBytes(StandardCharsets.ISO_8859_1));
    files.put("merges.txt", merges.getBytes(StandardCharsets.ISO_8859_1));
    tokenizer(files);
  }

  /// Header, tokenizer and all weights.
  @FuzzTest(maxDuration = "60s")
  void gguf(byte[] bytes) {
    try {
      GgufModel model = GgufModel.read(GgufReader.read(MemorySegment.ofArray(bytes), "fuzz"));
      weights(model.config(), model.weights(), bytes.length);
      model.tokenizer().ifPresent(FilesFuzzTest::bytesOfAll);
    } catch (FormatException e) {
      // as it should be
    }
  }

  @FuzzTest(maxDuration = "60s")
  void llmcCheckpoint(byte[] bytes) {
    try {
      LlmcCheckpoint file = LlmcCheckpoint.read(MemorySegment.ofArray(bytes), "fuzz");
      weights(file.config(), file.weights(), bytes.length);
    } catch (FormatException e) {
      // as it should be
    }
  }

  /// Of the checkpoint that is a seed of [#llmcCheckpoint].
  @FuzzTest(maxDuration = "60s")
  void llmcState(byte[] bytes) {
    try {
      LlmcState.read(MemorySegment.ofArray(bytes), "fuzz", GptConfig.gpt2(3, 2, 2, 1, 1), 128);
    } catch (FormatException e) {
      // as it should be
    }
  }

  @FuzzTest(maxDuration = "60s")
  void llmcTokenizer(byte[] bytes) {
    try {
      bytesOfAll(LlmcTokenizer.read(MemorySegment.ofArray(bytes), "fuzz"));
    } catch (FormatException e) {
      // as it should be
    }
  }

  /// Reads all weights; their numbers are at most twice as many as the file has bytes.
  private static void weights(ModelConfig config, Weights weights, int size) {
    WeightSource source = new WeightSource(weights);
    GptConfig gpt = Objects.requireNonNull(config.gpt());
    source.check(gpt);
    ParameterValues values = source.values(gpt);
    long sum = 0;
    for (Map.Entry<String, Shape> e : values.shapes().entrySet()) {
      sum += e.getValue().elements();
      byte[] target = new byte[Math.toIntExact(4 * e.getValue().elements())];
      values.read(e.getKey(), MemorySegment.ofArray(target));
    }
    if (sum > 2L * size) {
      throw new AssertionError("more numbers than the file has");
    }
  }

  private static void bytesOfAll(Tokenizer tokenizer) {
    for (int id = 0; id < tokenizer.vocabulary(); id++) {
      try {
        tokenizer.bytes(id);
      } catch (IllegalArgumentException e) {
        // an id without a token
      }
    }
    try {
      tokenizer.encode("aabab ab");
    } catch (IllegalArgumentException e) {
      // a character that the vocabulary lacks, or no way to encode
    }
  }

  private static void tokenizer(Map<String, byte[]> content) {
    Optional<Tokenizer> tokenizer;
    try {
      tokenizer = TokenizerFiles.read(new InMemory(content));
    } catch (FormatException e) {
      return; // as it should be
    }
    try {
      int[] ids = tokenizer.orElseThrow().encode("aabab ab");
      if (!tokenizer.orElseThrow().decode(ids).equals("aabab ab")) {
        throw new AssertionError("not lossless");
      }
    } catch (IllegalArgumentException e) {
      // a character that the vocabulary lacks
    }
  }

  private record InMemory(Map<String, byte[]> content) implements FolderFiles {
    @Override
    public String name(String file) {
      return file;
    }

    @Override
    public boolean has(String file) {
      return content.containsKey(file);
    }

    @Override
    public byte[] read(String file) {
      return content.get(file);
    }

    @Override
    public Safetensors tensors(String file) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
  }
}
