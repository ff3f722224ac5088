package org.quern.gpt;

import org.jspecify.annotations.Nullable;
import org.quern.core.Tensor;
import org.quern.flow.Flow;

/// Layer normalization with learned gain and bias (arXiv:1607.06450).
///
/// @param gamma (C)
/// @param beta (C), or null for none
/// @param epsilon the term under the root
public record LayerNorm(Tensor gamma, @Nullable Tensor beta, float epsilon) {
  static LayerNorm make(Parameters p, String name, GptConfig config) {
    return new LayerNorm(
        p.vector(name + ".weight", 1, config.width()),
        p.bias(config.bias(), name + ".bias", config.width()),
        config.epsilon());
  }

  /// {@return each row of x normalized}
  ///
  /// @param f the flow
  /// @param x (..., C)
  public Tensor forward(Flow f, Tensor x) {
    return f.layerNorm(x, gamma, beta, epsilon);
  }

  /// {@return the sum a + b, and it normalized}
  ///
  /// @param f the flow
  /// @param a (..., C)
  /// @param b the same shape
  public Flow.Residual addForward(Flow f, Tensor a, Tensor b) {
    return f.addLayerNorm(a, b, gamma, beta, epsilon);
  }
}
