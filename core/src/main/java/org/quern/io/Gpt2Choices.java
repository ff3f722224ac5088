package org.quern.io;

import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.Mask;
import org.quern.gpt.GptConfig;

/// What formats for GPT-2 alone cannot say.
final class Gpt2Choices {
  private Gpt2Choices() {}

  /// {@return what a model has that GPT-2 has not, in words; or null}
  static @Nullable String difference(GptConfig c) {
    if (c.norm() != GptConfig.NormPlacement.PRE) {
      return "its normalizations behind the layers";
    }
    if (c.positions() != GptConfig.Positions.LEARNED) {
      return "sines for positions";
    }
    if (c.bias() != GptConfig.Bias.YES) {
      return "no biases";
    }
    if (c.window() != Mask.UNBOUNDED) {
      return "banded layers";
    }
    return c.activation() == Activation.GELU_TANH
        ? null
        : "the activation " + c.activation().name().toLowerCase(Locale.ROOT);
  }

  /// {@return what a model has that nanoGPT has not, in words; or null}
  ///
  /// Either GELU will do: nanoGPT reads GPT-2's weights too, and takes the exact one for both.
  static @Nullable String differenceToNanoGpt(GptConfig c) {
    if (c.activation() == Activation.RELU) {
      return "the activation relu";
    }
    if (c.unembedding() == GptConfig.Unembedding.SEPARATE) {
      return "an output matrix of its own";
    }
    String shape = differenceInShape(c);
    return shape != null
        ? shape
        : difference(
            c.with(c.unembedding(), GptConfig.Bias.YES)
                .with(c.norm(), c.positions(), Activation.GELU_TANH));
  }

  /// {@return what a model has that programs without a choice of it have not; or null}
  static @Nullable String differenceInShape(GptConfig c) {
    if (c.mlpWidth() != 4 * c.width()) {
      return "an MLP that is not four times as wide as the model";
    }
    return c.epsilon() == 1e-5f ? null : "the epsilon %s, not 1e-5".formatted(c.epsilon());
  }
}
