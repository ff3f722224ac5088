package org.quern.flow;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// The gradients of a model's parameters, which outlive a step: with several micro-batches the
/// first sets them and the others add.
public final class Gradients {
  private final Map<Place, Slot> slots = new LinkedHashMap<>();

  private static final class Slot {
    private final Tensor tensor;
    private boolean touched;

    Slot(Tensor tensor) {
      this.tensor = tensor;
    }
  }

  /// Allocates one gradient a parameter.
  ///
  /// @param parameters what the gradients are of
  /// @param owner takes the memory
  public Gradients(Collection<Tensor> parameters, Scope owner) {
    for (Tensor p : parameters) {
      slots.put(Place.of(p), new Slot(owner.allocate(DType.F32, p.shape())));
    }
  }

  /// Starts anew: the next gradient of each parameter sets.
  public void reset() {
    slots.values().forEach(s -> s.touched = false);
  }

  /// Makes the gradients of parameters that nothing used 0.
  ///
  /// @param backend where they live
  public void completeWithZeros(Backend backend) {
    for (Slot s : slots.values()) {
      if (!s.touched) {
        backend.ops().fill(s.tensor, 0);
        s.touched = true;
      }
    }
  }

  /// {@return the gradient of a parameter, in the parameter's shape}
  ///
  /// @param parameter one of those given to the constructor
  /// @throws IllegalArgumentException if it is not one of those
  public Tensor of(Tensor parameter) {
    Slot slot = slots.get(Place.of(parameter));
    if (slot == null) {
      throw new IllegalArgumentException("no gradient is kept for " + parameter.shape());
    }
    return slot.tensor;
  }

  @Nullable Sink touch(Place place) {
    Slot slot = slots.get(place);
    if (slot == null) {
      return null;
    }
    Sink sink = slot.touched ? Sink.add(slot.tensor) : Sink.set(slot.tensor);
    slot.touched = true;
    return sink;
  }
}
