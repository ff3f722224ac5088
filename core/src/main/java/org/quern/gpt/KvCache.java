package org.quern.gpt;

import java.util.ArrayList;
import java.util.List;
import org.quern.core.Backend;
import org.quern.core.Scope;
import org.quern.core.Tensor;

/// Keys and values of the tokens that a model has seen, so that a new token costs one token's work.
///
/// @param layers one a block
/// @param batch B, how many texts
/// @param capacity T, how many tokens of each
public record KvCache(List<Layer> layers, int batch, int capacity) {
  /// Keys and values of one block.
  ///
  /// @param k (B, H, T, D)
  /// @param v (B, H, T, D)
  public record Layer(Tensor k, Tensor v) {}

  /// {@return an empty cache; its rows are 0, since attention may touch any finite value}
  ///
  /// @param backend where it lives
  /// @param scope owns it
  /// @param config of the model
  /// @param batch how many texts
  /// @param capacity how many tokens of each
  static KvCache make(Backend backend, Scope scope, GptConfig config, int batch, int capacity) {
    List<Layer> layers = new ArrayList<>();
    for (int l = 0; l < config.layers(); l++) {
      Tensor k = scope.floats(batch, config.heads(), capacity, config.headSize());
      Tensor v = scope.floats(batch, config.heads(), capacity, config.headSize());
      backend.ops().fill(k, 0);
      backend.ops().fill(v, 0);
      layers.add(new Layer(k, v));
    }
    return new KvCache(List.copyOf(layers), batch, capacity);
  }
}
