package org.quern.gpt;

import org.quern.core.Activation;
import org.quern.core.Tensor;
import org.quern.flow.Flow;

/// The feed-forward part of a block: up, activation, down.
///
/// @param up (4 C, C)
/// @param down (C, 4 C)
/// @param activation in between
/// @param dropout of the output, in training
public record Mlp(Linear up, Linear down, Activation activation, float dropout) {
  static Mlp make(Parameters p, String name, GptConfig config) {
    int c = config.width();
    int hidden = config.mlpWidth();
    float residual = (float) (Parameters.DEVIATION / Math.sqrt(2.0 * config.layers()));
    return new Mlp(
        Linear.make(p, name + ".c_fc", hidden, c, Parameters.DEVIATION, config.bias()),
        Linear.make(p, name + ".c_proj", c, hidden, residual, config.bias()),
        config.activation(),
        config.dropout());
  }

  /// {@return what each token makes of itself, (B, S, C)}
  ///
  /// @param f the flow
  /// @param x (B, S, C)
  public Tensor forward(Flow f, Tensor x) {
    Tensor h = up.forward(f, x, activation); // (B, S, 4C)
    return f.dropout(down.forward(f, h), dropout); // (B, S, C)
  }
}
