package org.quern.gpt;

import org.jspecify.annotations.Nullable;
import org.quern.core.Mask;
import org.quern.core.Tensor;
import org.quern.flow.Flow;
import org.quern.flow.Trace;

/// Masked multi-head self-attention (arXiv:1706.03762, section 3.2).
///
/// @param qkv (3 C, C), queries, keys and values in one map
/// @param project (C, C), the output
/// @param heads H
/// @param mask which keys are visible
/// @param dropout of weights and output, in training
public record SelfAttention(Linear qkv, Linear project, int heads, Mask mask, float dropout) {
  static SelfAttention make(Parameters p, String name, int layer, GptConfig config) {
    int c = config.width();
    float residual = (float) (Parameters.DEVIATION / Math.sqrt(2.0 * config.layers()));
    return new SelfAttention(
        Linear.make(p, name + ".c_attn", 3 * c, c, Parameters.DEVIATION, config.bias()),
        Linear.make(p, name + ".c_proj", c, c, residual, config.bias()),
        config.heads(),
        config.mask(layer),
        config.dropout());
  }

  /// {@return what each token gathers from those it sees, (B, S, C)}
  ///
  /// @param f the flow
  /// @param x (B, S, C)
  /// @param positions (B), where the tokens of x start
  /// @param cache keys and values of earlier tokens, or null: there are none
  public Tensor forward(Flow f, Tensor x, Tensor positions, KvCache.@Nullable Layer cache) {
    Tensor packed = qkv.forward(f, x); // (B, S, 3C)
    Flow.Heads h =
        cache == null
            ? f.splitHeads(packed, heads, null, null, positions)
            : f.splitHeads(packed, heads, cache.k(), cache.v(), positions);
    // q (B, H, S, D), k and v (B, H, T, D) -> y (B, H, S, D)
    Tensor y = f.attention(h.q(), h.k(), h.v(), mask, dropout, positions);
    Tensor out = project.forward(f, f.mergeHeads(y)); // (B, S, C)
    Trace trace = f.trace();
    if (trace != null) {
      trace.attention(h, mask, out);
    }
    return f.dropout(out, dropout);
  }
}
