package org.quern.gpt;

import org.quern.core.Activation;
import org.quern.core.Mask;

/// The numbers and choices that make a GPT: those of GPT-2 by default, open for the family's
/// others.
///
/// @param vocabulary V, the number of tokens
/// @param context the most tokens that the model sees at once
/// @param width C, of the residual stream
/// @param layers how many blocks
/// @param heads H, which divides the width
/// @param mlpWidth of the hidden layer of the MLP, 4 C in every GPT
/// @param activation of the MLP
/// @param norm where layers are normalized
/// @param positions how tokens know their place
/// @param unembedding whether the output matrix is the token embedding
/// @param bias whether linear maps and normalizations have one
/// @param window of the locally banded layers, every second from the second on (arXiv:2005.14165,
///   section 2.1); [Mask#UNBOUNDED] when all are dense
/// @param epsilon of the normalizations
/// @param dropout at GPT-2's three places: embeddings, attention weights, residual branches
public record GptConfig(
    int vocabulary,
    int context,
    int width,
    int layers,
    int heads,
    int mlpWidth,
    Activation activation,
    NormPlacement norm,
    Positions positions,
    Unembedding unembedding,
    Bias bias,
    int window,
    float epsilon,
    float dropout) {

  /// Where layers are normalized.
  public enum NormPlacement {
    /// Before attention and MLP, and once at the end: GPT-2, GPT-3.
    PRE,
    /// After each residual sum: GPT-1 and the original transformer.
    POST
  }

  /// How tokens know their place.
  public enum Positions {
    /// A learned table.
    LEARNED,
    /// Sines and cosines (arXiv:1706.03762, section 3.5).
    SINUSOIDAL
  }

  /// Whether the output matrix is the token embedding.
  public enum Unembedding {
    /// It is (arXiv:1608.05859).
    TIED,
    /// It is a matrix of its own.
    SEPARATE
  }

  /// Whether linear maps and normalizations add a bias.
  public enum Bias {
    /// They do.
    YES,
    /// They do not.
    NO
  }

  /// Checks that the numbers fit together.
  ///
  /// @throws IllegalArgumentException if one is out of range, naming it
  public GptConfig {
    positive("vocabulary", vocabulary);
    positive("context", context);
    positive("width", width);
    positive("layers", layers);
    positive("heads", heads);
    positive("mlpWidth", mlpWidth);
    positive("window", window);
    if (width % heads != 0) {
      throw new IllegalArgumentException(
          "config: heads %d must divide width %d".formatted(heads, width));
    }
    if (!(epsilon > 0)) {
      throw new IllegalArgumentException("config: epsilon must be positive, found " + epsilon);
    }
    if (!(dropout >= 0 && dropout < 1)) {
      throw new IllegalArgumentException("config: dropout must be in [0, 1), found " + dropout);
    }
    if (activation == Activation.NONE) {
      throw new IllegalArgumentException("config: the MLP needs an activation");
    }
  }

  private static void positive(String name, int value) {
    if (value <= 0) {
      throw new IllegalArgumentException(
          "config: %s must be positive, found %d".formatted(name, value));
    }
  }

  /// {@return a configuration with GPT-2's choices}
  ///
  /// @param vocabulary V
  /// @param context the most tokens
  /// @param width C
  /// @param layers how many blocks
  /// @param heads H
  public static GptConfig gpt2(int vocabulary, int context, int width, int layers, int heads) {
    return new GptConfig(
        vocabulary,
        context,
        width,
        layers,
        heads,
        Math.multiplyExact(4, width),
        Activation.GELU_TANH,
        NormPlacement.PRE,
        Positions.LEARNED,
        Unembedding.TIED,
        Bias.YES,
        Mask.UNBOUNDED,
        1e-5f,
        0f);
  }

  /// {@return D, the size of a head}
  public int headSize() {
    return width / heads;
  }

  /// {@return which keys a layer's queries see}
  ///
  /// @param layer from 0
  public Mask mask(int layer) {
    return window == Mask.UNBOUNDED || layer % 2 == 0 ? Mask.CAUSAL : Mask.banded(window);
  }

  /// {@return this configuration with another dropout}
  ///
  /// @param value in [0, 1)
  public GptConfig withDropout(float value) {
    return new GptConfig(
        vocabulary,
        context,
        width,
        layers,
        heads,
        mlpWidth,
        activation,
        norm,
        positions,
        unembedding,
        bias,
        window,
        epsilon,
        value);
  }

  /// {@return this configuration with another choice of normalization, positions, activation}
  ///
  /// @param norm where layers are normalized
  /// @param positions how tokens know their place
  /// @param activation of the MLP
  public GptConfig with(NormPlacement norm, Positions positions, Activation activation) {
    return new GptConfig(
        vocabulary,
        context,
        width,
        layers,
        heads,
        mlpWidth,
        activation,
        norm,
        positions,
        unembedding,
        bias,
        window,
        epsilon,
        dropout);
  }

  /// {@return this configuration with another unembedding and bias}
  ///
  /// @param unembedding tied or separate
  /// @param bias yes or no
  public GptConfig with(Unembedding unembedding, Bias bias) {
    return new GptConfig(
        vocabulary,
        context,
        width,
        layers,
        heads,
        mlpWidth,
        activation,
        norm,
        positions,
        unembedding,
        bias,
        window,
        epsilon,
        dropout);
  }

  /// {@return this configuration with banded layers}
  ///
  /// @param window how many tokens every second layer sees back
  public GptConfig withWindow(int window) {
    return new GptConfig(
        vocabulary,
        context,
        width,
        layers,
        heads,
        mlpWidth,
        activation,
        norm,
        positions,
        unembedding,
        bias,
        window,
        epsilon,
        dropout);
  }
}
