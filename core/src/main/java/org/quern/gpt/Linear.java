package org.quern.gpt;

import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.Tensor;
import org.quern.flow.Flow;

/// A linear map, `x w^T + bias`.
///
/// @param weight (O, C), like PyTorch's
/// @param bias (O), or null for none
public record Linear(Tensor weight, @Nullable Tensor bias) {
  static Linear make(
      Parameters p, String name, int outputs, int inputs, float deviation, GptConfig.Bias bias) {
    return new Linear(
        p.matrix(name + ".weight", deviation, outputs, inputs),
        p.bias(bias, name + ".bias", outputs));
  }

  /// {@return the mapped rows, (..., O)}
  ///
  /// @param f the flow
  /// @param x (..., C)
  public Tensor forward(Flow f, Tensor x) {
    return f.linear(x, weight, bias);
  }

  /// {@return the mapped rows through an activation, (..., O)}
  ///
  /// @param f the flow
  /// @param x (..., C)
  /// @param activation what comes behind
  public Tensor forward(Flow f, Tensor x, Activation activation) {
    return f.linear(x, weight, bias, activation);
  }
}
