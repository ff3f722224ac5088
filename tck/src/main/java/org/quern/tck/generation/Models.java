package org.quern.tck.generation;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.Random;
import org.quern.core.Activation;
import org.quern.core.Backend;
import org.quern.core.Mask;
import org.quern.gpt.Bigram;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.ParameterSource;
import org.quern.text.Tokenizer;

/// Small models with weights large enough that tokens matter, and tokenizers to go with them.
final class Models {
  static final int CONTEXT = 16;
  static final int VOCABULARY = 61;

  private Models() {}

  /// GPT-2's choices.
  static LanguageModel gpt(Backend backend) {
    return new Gpt(backend, GptConfig.gpt2(VOCABULARY, CONTEXT, 24, 3, 4), wide(1));
  }

  /// The family's other choices: post-norm, sinusoids, ReLU, untied, banded, no bias.
  static LanguageModel other(Backend backend) {
    GptConfig base = GptConfig.gpt2(VOCABULARY, CONTEXT, 12, 2, 3);
    GptConfig config =
        new GptConfig(
            base.vocabulary(),
            base.context(),
            base.width(),
            base.layers(),
            base.heads(),
            20,
            Activation.RELU,
            GptConfig.NormPlacement.POST,
            GptConfig.Positions.SINUSOIDAL,
            GptConfig.Unembedding.SEPARATE,
            GptConfig.Bias.NO,
            5,
            base.epsilon(),
            0.1f);
    assert config.mask(1).equals(Mask.banded(5));
    return new Gpt(backend, config, wide(2));
  }

  static LanguageModel bigram(Backend backend) {
    return new Bigram(backend, VOCABULARY, CONTEXT, wide(3));
  }

  static List<LanguageModel> all(Backend backend) {
    return List.of(gpt(backend), other(backend), bigram(backend));
  }

  /// Normal numbers of deviation 0.4 around each parameter's mean.
  static ParameterSource wide(long seed) {
    return (parameter, backend) -> {
      Random random = new Random(seed * 31 + parameter.name().hashCode());
      float[] values = new float[Math.toIntExact(parameter.tensor().elements())];
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) (parameter.init().mean() + 0.4 * random.nextGaussian());
      }
      backend.upload(parameter.tensor(), values);
    };
  }

  /// A model whose most probable token behind i is i + 1, and behind the last one the first.
  static LanguageModel counting(Backend backend, int vocabulary, int context) {
    ParameterSource source =
        (parameter, b) -> {
          float[] table = new float[vocabulary * vocabulary];
          for (int i = 0; i < vocabulary; i++) {
            table[i * vocabulary + (i + 1) % vocabulary] = 30;
          }
          b.upload(parameter.tensor(), table);
        };
    return new Bigram(backend, vocabulary, context, source);
  }

  /// Token i stands for piece i.
  record Pieces(List<byte[]> pieces, OptionalInt endOfText) implements Tokenizer {
    static Pieces of(String... pieces) {
      return new Pieces(
          Arrays.stream(pieces).map(p -> p.getBytes(StandardCharsets.UTF_8)).toList(),
          OptionalInt.empty());
    }

    /// One token a byte.
    static Pieces ofBytes(byte[] text) {
      List<byte[]> pieces =
          java.util.stream.IntStream.range(0, text.length)
              .mapToObj(i -> new byte[] {text[i]})
              .toList();
      return new Pieces(pieces, OptionalInt.empty());
    }

    Pieces endingWith(int id) {
      return new Pieces(pieces, OptionalInt.of(id));
    }

    @Override
    public int vocabulary() {
      return pieces.size();
    }

    /// The first token that is this text.
    @Override
    public int[] encode(byte[] utf8) {
      for (int i = 0; i < pieces.size(); i++) {
        if (Arrays.equals(pieces.get(i), utf8)) {
          return new int[] {i};
        }
      }
      throw new IllegalArgumentException("no such piece");
    }

    @Override
    public byte[] bytes(int id) {
      return pieces.get(id);
    }

    @Override
    public String description() {
      return "pieces of a test";
    }
  }
}
