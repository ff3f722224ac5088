package org.quern.gpt;

import org.jspecify.annotations.Nullable;
import org.quern.core.Tensor;
import org.quern.flow.Flow;

/// A transformer block: attention, then MLP, each beside a residual connection.
///
/// @param placement where the sums are normalized
/// @param norm1 of attention
/// @param attention tokens look at each other
/// @param norm2 of the MLP
/// @param mlp tokens think for themselves
public record Block(
    GptConfig.NormPlacement placement,
    LayerNorm norm1,
    SelfAttention attention,
    LayerNorm norm2,
    Mlp mlp) {
  static Block make(Parameters p, String name, int layer, GptConfig config) {
    return new Block(
        config.norm(),
        LayerNorm.make(p, name + ".ln_1", config),
        SelfAttention.make(p, name + ".attn", layer, config),
        LayerNorm.make(p, name + ".ln_2", config),
        Mlp.make(p, name + ".mlp", config));
  }

  /// {@return the residual stream behind this block, (B, S, C)}
  ///
  /// @param f the flow
  /// @param x (B, S, C), the residual stream
  /// @param positions (B), where the tokens of x start
  /// @param cache keys and values of earlier tokens, or null: there are none
  public Tensor forward(Flow f, Tensor x, Tensor positions, KvCache.@Nullable Layer cache) {
    return switch (placement) {
      case PRE -> { // x = x + attention(norm1(x)); x + mlp(norm2(x))
        Tensor a = attention.forward(f, norm1.forward(f, x), positions, cache);
        Flow.Residual r = norm2.addForward(f, x, a);
        yield f.add(r.sum(), mlp.forward(f, r.normed()));
      }
      case POST -> { // x = norm1(x + attention(x)); norm2(x + mlp(x))
        Tensor a = norm1.addForward(f, x, attention.forward(f, x, positions, cache)).normed();
        yield norm2.addForward(f, a, mlp.forward(f, a)).normed();
      }
    };
  }
}
