package org.quern.flow;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.quern.core.Backend;
import org.quern.core.Scope;
import org.quern.core.Tensor;

/// The weights of a model in the backend's own layout, made once for inference; [Flow#linear] takes
/// them in place of the weights themselves. Immutable, shared by threads.
public final class PreparedWeights {
  /// Nothing prepared.
  public static final PreparedWeights NONE = new PreparedWeights(Map.of());

  private final Map<Place, Tensor> prepared;

  private PreparedWeights(Map<Place, Tensor> prepared) {
    this.prepared = prepared;
  }

  /// {@return these weights, prepared}
  ///
  /// @param weights each (O, C); they must not change any more
  /// @param backend whose layout
  /// @param owner takes the memory
  public static PreparedWeights of(Collection<Tensor> weights, Backend backend, Scope owner) {
    Map<Place, Tensor> out = new HashMap<>();
    for (Tensor w : weights) {
      out.put(Place.of(w), backend.prepare(w, owner));
    }
    return new PreparedWeights(out);
  }

  Tensor of(Tensor weight) {
    return prepared.getOrDefault(Place.of(weight), weight);
  }
}
