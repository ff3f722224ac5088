package org.quern.io;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.Mask;
import org.quern.gpt.Bigram;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.GptConfig.Bias;
import org.quern.gpt.GptConfig.NormPlacement;
import org.quern.gpt.GptConfig.Positions;
import org.quern.gpt.GptConfig.Unembedding;
import org.quern.gpt.LanguageModel;

/// What `config.json` says, in Hugging Face's words for GPT-2. What GPT-2 does not have goes by
/// keys of our own: `quern_norm` (`pre`, `post`), `quern_positions` (`learned`, `sinusoidal`),
/// `quern_bias` and `quern_window`. A model that uses one of them has the `model_type` `quern_gpt`,
/// so that no other program takes it for a GPT-2; a bigram has `quern_bigram`.
///
/// A file with `block_size` in place of `n_positions` has the words of nanoGPT, if it has `bias`,
/// or minGPT: their activations are the exact GELU and that of GPT-2, and there is no
/// `tie_word_embeddings`: the weights tell.
///
/// GPT-1 as published (`openai-gpt`) is read too: post-norm, its activation under `afn`, where
/// `gelu` is GELU by tanh.
///
/// @param vocabulary V
/// @param context the most tokens
/// @param gpt the GPT, or null: a bigram
/// @param words whether tokens are words and their parts, as only GPT-1's are: its `vocab.json` is
///   no byte-level one
record ModelConfig(int vocabulary, int context, @Nullable GptConfig gpt, boolean words) {
  static final String FILE = "config.json";
  private static final String GPT1 = "openai-gpt";

  // Far above any model, far below where products of sizes overflow.
  private static final int MOST_TOKENS = 1 << 24;
  private static final int MOST_WIDTH = 1 << 20;
  private static final int MOST_LAYERS = 1 << 16;
  // A table of sines is no part of the weights, whose size would bound it.
  private static final long MOST_SINES = 1 << 27;

  private static final String[] DROPOUTS = {"embd_pdrop", "attn_pdrop", "resid_pdrop"};
  private static final String[] NANO_DROPOUTS = {
    "dropout", "embd_pdrop", "attn_pdrop", "resid_pdrop"
  };
  private static final double GPT2_DROPOUT = 0.1; // GPT2Config's default

  /// {@return what a model says}
  ///
  /// @throws IllegalArgumentException if it is of no kind that has a file format
  static ModelConfig of(LanguageModel model) {
    return switch (model) {
      case Gpt gpt -> new ModelConfig(gpt.vocabulary(), gpt.context(), gpt.config());
      case Bigram bigram -> new ModelConfig(bigram.vocabulary(), bigram.context(), null);
      default ->
          throw new IllegalArgumentException(
              "a model of %s has no file format".formatted(model.getClass()));
    };
  }

  /// A model whose tokens are not GPT-1's.
  ModelConfig(int vocabulary, int context, @Nullable GptConfig gpt) {
    this(vocabulary, context, gpt, false);
  }

  /// {@return what a file says}
  ///
  /// @throws FormatException if a key is missing, of the wrong type or out of range, or the model
  ///   is of another kind
  static ModelConfig read(JsonObject json) {
    // minGPT's types are names of sizes.
    String type = isNanoGpt(json) ? "gpt2" : json.text("model_type", "gpt2");
    return switch (type) {
      case "gpt2", "quern_gpt", GPT1 -> {
        GptConfig config = gpt(json, type.equals(GPT1));
        yield new ModelConfig(config.vocabulary(), config.context(), config, type.equals(GPT1));
      }
      case "quern_bigram" ->
          new ModelConfig(
              json.count("vocab_size", MOST_TOKENS), json.count("n_positions", MOST_TOKENS), null);
      default ->
          throw json.bad("model_type", "gpt2, openai-gpt, quern_gpt or quern_bigram", quoted(type));
    };
  }

  /// {@return whether the words are nanoGPT's or minGPT's}
  static boolean isNanoGpt(JsonObject json) {
    return json.has("block_size") && !json.has("n_positions") && !json.has("n_ctx");
  }

  /// {@return this with an output matrix that is the token embedding, or one of its own}
  ModelConfig with(Unembedding unembedding) {
    return gpt == null
        ? this
        : new ModelConfig(vocabulary, context, gpt.with(unembedding, gpt.bias()));
  }

  private static GptConfig gpt(JsonObject json, boolean first) {
    boolean nano = isNanoGpt(json);
    refuseOtherAttention(json);
    int width = json.count("n_embd", MOST_WIDTH);
    int heads = json.count("n_head", MOST_WIDTH);
    if (width % heads != 0) {
      throw json.bad("n_head", "a divisor of n_embd %d".formatted(width), "%d".formatted(heads));
    }
    int hidden = json.has("n_inner") ? json.count("n_inner", 4 * MOST_WIDTH) : 4 * width;
    int context =
        json.count(
            nano
                ? "block_size"
                : json.has("n_positions") || !json.has("n_ctx") ? "n_positions" : "n_ctx",
            MOST_TOKENS);
    GptConfig config =
        new GptConfig(
            json.count("vocab_size", MOST_TOKENS),
            context,
            width,
            json.count("n_layer", MOST_LAYERS),
            heads,
            hidden,
            first
                ? firstActivation(json)
                : activation(json, nano && json.has("bias") ? "gelu" : "gelu_new"),
            first ? NormPlacement.POST : norm(json),
            positions(json),
            json.truth("tie_word_embeddings", true) ? Unembedding.TIED : Unembedding.SEPARATE,
            json.truth(nano ? "bias" : "quern_bias", true) ? Bias.YES : Bias.NO,
            json.has("quern_window")
                ? json.count("quern_window", Integer.MAX_VALUE)
                : Mask.UNBOUNDED,
            epsilon(json),
            nano ? dropout(json, 0, NANO_DROPOUTS) : dropout(json, GPT2_DROPOUT, DROPOUTS));
    if (config.positions() == Positions.SINUSOIDAL && (long) context * width > MOST_SINES) {
      throw json.bad(
          "n_positions",
          "n_positions times n_embd to be at most %d".formatted(MOST_SINES),
          "%d times %d".formatted(context, width));
    }
    return config;
  }

  private static void refuseOtherAttention(JsonObject json) {
    if (!json.truth("scale_attn_weights", true)) {
      throw json.bad("scale_attn_weights", "true: attention over sqrt(head size)", "false");
    }
    if (json.truth("scale_attn_by_inverse_layer_idx", false)) {
      throw json.bad("scale_attn_by_inverse_layer_idx", "false: one scale for all layers", "true");
    }
    if (json.truth("add_cross_attention", false)) {
      throw json.bad("add_cross_attention", "false: a decoder by itself", "true");
    }
  }

  private static Activation activation(JsonObject json, String otherwise) {
    String name = json.text("activation_function", otherwise);
    return switch (name) {
      case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
      case "gelu" -> Activation.GELU_ERF;
      case "relu" -> Activation.RELU;
      default ->
          throw json.bad(
              "activation_function", "gelu_new, gelu_pytorch_tanh, gelu or relu", quoted(name));
    };
  }

  private static Activation firstActivation(JsonObject json) {
    String name = json.text("afn", "gelu");
    return switch (name) {
      case "gelu" -> Activation.GELU_TANH;
      case "relu" -> Activation.RELU;
      default -> throw json.bad("afn", "gelu or relu", quoted(name));
    };
  }

  private static NormPlacement norm(JsonObject json) {
    String name = json.text("quern_norm", "pre");
    return switch (name) {
      case "pre" -> NormPlacement.PRE;
      case "post" -> NormPlacement.POST;
      default -> throw json.bad("quern_norm", "pre or post", quoted(name));
    };
  }

  private static Positions positions(JsonObject json) {
    String name = json.text("quern_positions", "learned");
    return switch (name) {
      case "learned" -> Positions.LEARNED;
      case "sinusoidal" -> Positions.SINUSOIDAL;
      default -> throw json.bad("quern_positions", "learned or sinusoidal", quoted(name));
    };
  }

  private static float epsilon(JsonObject json) {
    float value = (float) json.number("layer_norm_epsilon", 1e-5);
    if (!(value > 0 && value < 1)) {
      throw json.bad("layer_norm_epsilon", "a number in (0, 1)", "%s".formatted(value));
    }
    return value;
  }

  /// Quern has one rate for the three places. Where a file has several, the largest is taken.
  private static float dropout(JsonObject json, double otherwise, String... keys) {
    float largest = 0;
    for (String key : keys) {
      float value = (float) json.number(key, otherwise);
      if (!(value >= 0 && value < 1)) {
        throw json.bad(key, "a number in [0, 1)", "%s".formatted(value));
      }
      largest = Math.max(largest, value);
    }
    return largest;
  }

  private static String quoted(String text) {
    return "'%s'".formatted(Json.shortened(text));
  }

  /// {@return the file's text}
  ///
  /// @param endOfText the token that begins and ends texts, if there is one
  /// @param dtype of the weights, in PyTorch's words
  byte[] write(OptionalInt endOfText, String dtype) {
    return Json.write(
        Json.Layout.INDENTED,
        out -> {
          out.writeStartObject();
          if (gpt == null) {
            out.writeStringField("model_type", "quern_bigram");
          } else {
            writeGpt(out, gpt);
          }
          out.writeNumberField("vocab_size", vocabulary);
          out.writeNumberField("n_positions", context);
          if (endOfText.isPresent()) {
            out.writeNumberField("bos_token_id", endOfText.getAsInt());
            out.writeNumberField("eos_token_id", endOfText.getAsInt());
          }
          out.writeStringField("torch_dtype", dtype);
          out.writeEndObject();
        });
  }

  private static void writeGpt(JsonGenerator out, GptConfig c) throws IOException {
    out.writeStringField("model_type", isGpt2(c) ? "gpt2" : "quern_gpt");
    if (isGpt2(c)) {
      out.writeFieldName("architectures");
      out.writeStartArray();
      out.writeString("GPT2LMHeadModel");
      out.writeEndArray();
    } else {
      out.writeStringField("quern_norm", c.norm() == NormPlacement.PRE ? "pre" : "post");
      out.writeStringField(
          "quern_positions", c.positions() == Positions.LEARNED ? "learned" : "sinusoidal");
      out.writeBooleanField("quern_bias", c.bias() == Bias.YES);
      if (c.window() != Mask.UNBOUNDED) {
        out.writeNumberField("quern_window", c.window());
      }
    }
    out.writeNumberField("n_ctx", c.context());
    out.writeNumberField("n_embd", c.width());
    out.writeNumberField("n_layer", c.layers());
    out.writeNumberField("n_head", c.heads());
    if (c.mlpWidth() == 4 * c.width()) {
      out.writeNullField("n_inner");
    } else {
      out.writeNumberField("n_inner", c.mlpWidth());
    }
    out.writeStringField("activation_function", name(c.activation()));
    out.writeNumberField("layer_norm_epsilon", c.epsilon());
    out.writeNumberField("embd_pdrop", c.dropout());
    out.writeNumberField("attn_pdrop", c.dropout());
    out.writeNumberField("resid_pdrop", c.dropout());
    out.writeBooleanField("tie_word_embeddings", c.unembedding() == Unembedding.TIED);
  }

  private static String name(Activation activation) {
    return switch (activation) {
      case GELU_TANH -> "gelu_new";
      case GELU_ERF -> "gelu";
      case RELU -> "relu";
      case NONE -> throw new IllegalArgumentException("the MLP needs an activation");
    };
  }

  /// {@return the file's text in the words of nanoGPT, which ignores the activation}
  ///
  /// @throws IllegalArgumentException if nanoGPT cannot compute the model, naming the difference
  byte[] writeNanoGpt() {
    GptConfig c = gpt;
    String other = c == null ? "a bigram" : Gpt2Choices.differenceToNanoGpt(c);
    if (c == null || other != null) {
      throw new IllegalArgumentException(
          "nanoGPT cannot compute this model, which has %s; choose another format"
              .formatted(other));
    }
    return Json.write(
        Json.Layout.INDENTED,
        out -> {
          out.writeStartObject();
          out.writeNumberField("n_layer", c.layers());
          out.writeNumberField("n_head", c.heads());
          out.writeNumberField("n_embd", c.width());
          out.writeNumberField("block_size", c.context());
          out.writeBooleanField("bias", c.bias() == Bias.YES);
          out.writeNumberField("vocab_size", c.vocabulary());
          out.writeNumberField("dropout", c.dropout());
          out.writeStringField("activation_function", name(c.activation()));
          out.writeEndObject();
        });
  }

  /// Whether every program that knows GPT-2 knows this model.
  private static boolean isGpt2(GptConfig c) {
    return c.norm() == NormPlacement.PRE
        && c.positions() == Positions.LEARNED
        && c.bias() == Bias.YES
        && c.window() == Mask.UNBOUNDED;
  }
}
