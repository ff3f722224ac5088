package org.quern.cpu;

import org.quern.core.Tensor;

/// A weight in the layout of [Packing], beside the weight itself: only the first is read, the
/// second is for whoever asks for the elements.
final class PanelBuffer extends CpuBuffer {
  private final CpuBuffer panels;

  /// Pairs a weight with its panels.
  ///
  /// @param weight [O, C]
  /// @param panels the memory, from its start on
  PanelBuffer(Tensor weight, CpuBuffer panels) {
    super(CpuBuffer.of(weight));
    this.panels = panels;
  }

  CpuBuffer panels() {
    return panels;
  }
}
