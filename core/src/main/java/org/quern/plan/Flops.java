package org.quern.plan;

import org.quern.core.Mask;
import org.quern.core.Precision;
import org.quern.core.Tensor;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;

/// Floating-point operations of one token's forward, a multiplication and an addition being two.
///
/// Products take 2 for each weight of a linear map, the unembedding included; looking up an
/// embedding takes none (Kaplan et al., arXiv:2001.08361, table 1). Attention takes 4 T C a layer,
/// 2 T C for the scores and as many for the weighted sum (PaLM, arXiv:2204.02311, appendix B: 12 L
/// H Q T for forward and backward); a banded layer takes min(T, window) for T. As there, the causal
/// mask is not counted, although kernels skip what it hides; Kaplan counts half of it. A backward
/// takes twice its forward.
///
/// @param products of a token in linear maps
/// @param attention of a token among T
public record Flops(long products, long attention) {
  /// {@return the work of a token}
  ///
  /// @param config of the model
  /// @param context T, how many tokens it is among
  public static Flops of(GptConfig config, int context) {
    long weights = 0;
    try (SizesBackend backend = new SizesBackend(Precision.F32, SizesBackend.Packing.NONE);
        Gpt model = new Gpt(backend, config, new Unfilled())) {
      for (Tensor w : model.linearWeights()) {
        weights = Math.addExact(weights, w.elements());
      }
    }
    long attention = 0;
    for (int l = 0; l < config.layers(); l++) {
      Mask mask = config.mask(l);
      attention += 4L * Math.min(context, mask.window()) * config.width();
    }
    return new Flops(2 * weights, attention);
  }

  /// {@return the operations of a token in inference}
  public long inference() {
    return products + attention;
  }

  /// {@return the operations of a token in training: forward, and twice that for the backward}
  public long training() {
    return Math.multiplyExact(3, inference());
  }
}
