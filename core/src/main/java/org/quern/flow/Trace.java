package org.quern.flow;

import org.quern.core.Mask;
import org.quern.core.Tensor;

/// Listens to a model while it computes, layer by layer, first to last. A [Flow] without one pays a
/// null check per call.
///
/// The tensors live on the device and are valid during the call only: copy what should stay.
public interface Trace {
  /// Hears of the residual stream: behind the embedding, then behind each block.
  ///
  /// @param x (B, S, C)
  void residual(Tensor x);

  /// Hears of a block's attention, before the [#residual] behind that block. There are no scores:
  /// attention need not hold them; queries, keys and mask give them.
  ///
  /// @param heads queries, keys and values
  /// @param mask which keys are visible
  /// @param output what the block adds, behind the output projection, (B, S, C)
  void attention(Flow.Heads heads, Mask mask, Tensor output);
}
