package org.quern.io;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.Mask;
import org.quern.gpt.GptConfig;
import org.quern.gpt.GptConfig.Bias;
import org.quern.gpt.GptConfig.NormPlacement;
import org.quern.gpt.GptConfig.Positions;
import org.quern.gpt.GptConfig.Unembedding;
import org.quern.text.Tokenizer;

/// A GPT-2 in GGUF, as llama.cpp's converter writes it: linear weights (out, in), the output matrix
/// left out or the same again when it is the token embedding.
///
/// @param config its numbers
/// @param weights its tensors
/// @param header of the file
record GgufModel(ModelConfig config, Weights weights, GgufReader header) {
  static final String ARCHITECTURE = "gpt2";
  static final String METADATA_KEYS = "quern.metadata.keys";
  static final String METADATA_VALUES = "quern.metadata.values";

  /// {@return the model of a file}
  ///
  /// @throws FormatException if it is of another architecture, or a number is missing or wrong
  static GgufModel read(GgufReader header) {
    String architecture = header.text("general.architecture");
    if (!ARCHITECTURE.equals(architecture)) {
      throw new FormatException(
          header.name(),
          GgufReader.key("general.architecture"),
          "gpt2",
          architecture == null ? "none" : "'%s'".formatted(Json.shortened(architecture)),
          "Quern computes GPT-2 and its kin only",
          null);
    }
    Map<String, Safetensors.Entry> byName = new LinkedHashMap<>();
    for (Safetensors.Entry e : header.tensors()) {
      if (byName.put(GgufNames.parameter(e.name()), e) != null) {
        throw e.bad("it once", "it under two names");
      }
    }
    Safetensors.Entry embedding = byName.get("wte.weight");
    if (embedding == null || embedding.dimensions().size() != 2) {
      throw header.bad("tensor 'token_embd.weight'", "a matrix", "none");
    }
    Safetensors.Entry output = byName.get("lm_head.weight");
    boolean tied = output == null || output.sameAs(embedding);
    if (tied) {
      byName.remove("lm_head.weight");
    }
    GptConfig config =
        config(
            header,
            embedding.dimensions().getFirst(),
            tied ? Unembedding.TIED : Unembedding.SEPARATE);
    Weights weights =
        Weights.of(header.name(), "its keys", GgufNames::ofParameter, byName, metadata(header));
    return new GgufModel(
        new ModelConfig(config.vocabulary(), config.context(), config), weights, header);
  }

  private static GptConfig config(GgufReader header, long vocabulary, Unembedding unembedding) {
    int width = count(header, "gpt2.embedding_length", 1 << 20, null);
    int heads = count(header, "gpt2.attention.head_count", 1 << 20, null);
    if (width % heads != 0) {
      throw header.bad(
          GgufReader.key("gpt2.attention.head_count"),
          "a divisor of the width " + width,
          "%d".formatted(heads));
    }
    if (vocabulary > 1 << 24) {
      throw header.bad(
          "tensor 'token_embd.weight'", "at most %d tokens".formatted(1 << 24), "" + vocabulary);
    }
    float epsilon = (float) header.real("gpt2.attention.layer_norm_epsilon", 1e-5);
    if (!(epsilon > 0 && epsilon < 1)) {
      throw header.bad(
          GgufReader.key("gpt2.attention.layer_norm_epsilon"),
          "a number in (0, 1)",
          "%s".formatted(epsilon));
    }
    return new GptConfig(
        (int) vocabulary,
        count(header, "gpt2.context_length", 1 << 24, null),
        width,
        count(header, "gpt2.block_count", 1 << 16, null),
        heads,
        count(header, "gpt2.feed_forward_length", 1 << 22, 4 * width),
        Activation.GELU_TANH,
        NormPlacement.PRE,
        Positions.LEARNED,
        unembedding,
        Bias.YES,
        Mask.UNBOUNDED,
        epsilon,
        0);
  }

  private static int count(GgufReader header, String key, int most, @Nullable Integer otherwise) {
    long value = otherwise == null ? header.number(key) : header.number(key, otherwise);
    if (value < 1 || value > most) {
      throw header.bad(GgufReader.key(key), "a number from 1 to " + most, "%d".formatted(value));
    }
    return (int) value;
  }

  /// What Quern kept of another file's metadata.
  private static Map<String, String> metadata(GgufReader header) {
    List<String> keys = header.texts(METADATA_KEYS);
    List<String> values = header.texts(METADATA_VALUES);
    Map<String, String> out = new LinkedHashMap<>();
    if (keys == null || values == null) {
      return out;
    }
    if (keys.size() != values.size()) {
      throw header.bad(
          GgufReader.key(METADATA_VALUES), "%d texts".formatted(keys.size()), "" + values.size());
    }
    for (int i = 0; i < keys.size(); i++) {
      out.put(keys.get(i), values.get(i));
    }
    return out;
  }

  /// {@return the tokenizer in the file, if there is one}
  ///
  /// @throws FormatException if it is bad, or of a kind that Quern does not have
  Optional<Tokenizer> tokenizer() {
    return GgufTokenizer.read(header);
  }
}
