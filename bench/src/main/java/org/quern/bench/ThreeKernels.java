package org.quern.bench;

import java.util.Arrays;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.Mask;
import org.quern.core.Ops;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Ladder;

/// Scale, causal mask and softmax of scores in three passes over the matrix, as it is written
/// before it is fused: on devices by the ladder's kernels, elsewhere by operations that do one
/// thing each.
final class ThreeKernels {
  /// Added to the score of a hidden key; its exponential is nothing.
  private static final float HIDDEN = -1e30f;

  private final Backend backend;
  private final Tensor hidden; // (T, T)
  private final Tensor lse;
  private final Tensor positions;

  /// Prepares for one size.
  ///
  /// @param scores (1, H, T, T)
  /// @param lse (1, H, T)
  /// @param positions (1)
  /// @param owner takes the mask
  ThreeKernels(Backend backend, Shape scores, Tensor lse, Tensor positions, Scope owner) {
    this.backend = backend;
    this.lse = lse;
    this.positions = positions;
    int t = scores.intDim(-1);
    boolean needed = !(backend instanceof DeviceBackend);
    hidden = needed ? owner.floats(t, t) : lse;
    if (needed) {
      float[] values = new float[Math.multiplyExact(t, t)];
      for (int i = 0; i < t; i++) {
        Arrays.fill(values, i * t + i + 1, (i + 1) * t, HIDDEN);
      }
      backend.upload(hidden, values);
    }
  }

  /// `y = softmax(mask(scale x))`.
  ///
  /// @param y (1, H, T, T); may be x
  /// @param x (1, H, T, T)
  void run(Tensor y, Tensor x, float scale) {
    if (backend instanceof DeviceBackend device) {
      Ladder.unfusedMaskedSoftmax(device, y, x, scale);
      return;
    }
    Ops ops = backend.ops();
    ops.scale(y, x, scale);
    for (int h = 0; h < x.shape().intDim(1); h++) {
      Tensor head = y.slice(0).slice(h);
      ops.add(head, head, hidden);
    }
    ops.maskedSoftmax(y, lse, y, AttentionSpec.of(Mask.FULL, 1), positions);
  }
}
