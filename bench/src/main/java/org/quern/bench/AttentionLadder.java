package org.quern.bench;

import java.util.List;
import org.quern.core.Backend;
import org.quern.core.Scope;
import org.quern.core.Tensor;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Ladder;
import org.quern.kernels.Ladder.AttentionRung;

/// The teaching kernels of attention, to be measured beside what production runs.
public final class AttentionLadder {
  private static final List<String> RUNGS = List.of("loops", "triangular", "tiled-flash");

  private AttentionLadder() {}

  /// {@return the names of the rungs that a backend has; none where kernels are not ours}
  ///
  /// @param backend any
  public static List<String> rungs(Backend backend) {
    return backend instanceof DeviceBackend ? RUNGS : List.of();
  }

  /// Causal attention, F32, from position 0.
  ///
  /// @param backend that has the rung
  /// @param rung one of [#rungs]
  /// @param y (B, H, T, D), overwritten
  /// @param q (B, H, T, D)
  /// @param k (B, H, T, D)
  /// @param v (B, H, T, D)
  /// @param scale of the scores
  /// @param scratch for the matrix of the rungs that have one
  /// @throws IllegalArgumentException if there is no such rung, or the tensors do not fit it
  public static void run(
      Backend backend,
      String rung,
      Tensor y,
      Tensor q,
      Tensor k,
      Tensor v,
      float scale,
      Scope scratch) {
    AttentionRung found =
        switch (rung) {
          case "loops" -> AttentionRung.LOOPS;
          case "triangular" -> AttentionRung.TRIANGULAR;
          case "tiled-flash" -> AttentionRung.TILED_FLASH;
          default -> throw new IllegalArgumentException("no implementation is named " + rung);
        };
    Ladder.attention((DeviceBackend) backend, found, y, q, k, v, scale, scratch);
  }
}
