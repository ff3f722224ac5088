package org.quern.cpu;

import org.quern.core.Tensor;

/// A weight in the layout of [Packing], beside the weight itself: only the first is read, the
/// second is for whoever asks for the elements.
final class PanelBuffer extends CpuBuffer {
  private final Tensor weight;
  private final CpuBuffer panels;

  /// Pairs a weight with its panels.
  ///
  /// @param weight (O, C)
  /// @param panels the memory, from its start on
  PanelBuffer(Tensor weight, CpuBuffer panels) {
    super(CpuBuffer.of(weight));
    this.weight = weight;
    this.panels = panels;
  }

  /// {@return whether the panels hold this view of the weight: all of it, under its own shape}
  boolean holds(Tensor view) {
    return view.offset() == weight.offset() && view.shape().equals(weight.shape());
  }

  CpuBuffer panels() {
    return panels;
  }
}
