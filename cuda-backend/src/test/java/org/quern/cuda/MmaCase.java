package org.quern.cuda;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Philox;
import org.quern.kernels.Grid;
import org.quern.kernels.MmaTile;

/// An attention for the kernels on tensor cores, and the tile to do it with.
///
/// @param problem what to compute
/// @param tile how
record MmaCase(AttentionProblem problem, MmaTile tile) {
  /// Shared memory of a block on the smallest of the GPUs: compute capability 8.6, 8.9, 12.0.
  private static final int MOST_SHARED = 99 << 10;

  private static final long SEED = 0x5eed_0123_4567L;

  /// How much shared memory a kernel takes.
  interface Footprint {
    /// {@return the launch with that tile}
    Grid grid(DType x, int size, MmaTile tile, long slices, int rows);
  }

  /// {@return every storage, head size and tile that a kernel has shared memory for, with all kinds
  /// of masks, positions and lengths}
  static Stream<MmaCase> all(Footprint footprint, List<MmaTile> tiles) {
    List<MmaCase> out = new ArrayList<>();
    for (DType x : List.of(DType.BF16, DType.F16, DType.F32)) {
      for (int size : new int[] {64, 128}) {
        for (MmaTile tile : tiles) {
          if (footprint.grid(x, size, tile, 1, 1).dynamicLocalBytes() > MOST_SHARED) {
            continue;
          }
          shapes(x, size).forEach(p -> out.add(new MmaCase(p, tile)));
        }
      }
    }
    return out.stream();
  }

  /// Lengths around tiles of 64, and what attention can be asked for.
  private static List<AttentionProblem> shapes(DType x, int size) {
    float scale = (float) (1 / Math.sqrt(size));
    Mask banded = Mask.banded(33);
    Mask wide = new Mask(Mask.Direction.FULL, 20);
    List<AttentionProblem> out = new ArrayList<>();
    out.add(problem(x, 1, 1, 1, size, AttentionSpec.of(Mask.CAUSAL, scale), 0));
    out.add(problem(x, 2, 67, 67, size, AttentionSpec.of(Mask.CAUSAL, scale), 0, 0));
    out.add(problem(x, 1, 129, 131, size, AttentionSpec.of(Mask.CAUSAL, scale), 2));
    out.add(problem(x, 1, 65, 102, size, AttentionSpec.of(Mask.CAUSAL, scale), 37, 11));
    out.add(problem(x, 2, 70, 77, size, AttentionSpec.of(banded, scale), 5));
    out.add(problem(x, 1, 63, 200, size, AttentionSpec.of(banded, scale), 150));
    out.add(problem(x, 1, 33, 47, size, AttentionSpec.of(wide, scale), 3));
    out.add(problem(x, 2, 45, 17, size, AttentionSpec.of(Mask.FULL, scale), 0));
    out.add(problem(x, 1, 21, 19, size, AttentionSpec.of(Mask.CAUSAL, scale), -3, 1 << 20));
    // Tiles of which one query does not see one key, at the band's beginning and its end.
    out.add(problem(x, 1, 150, 160, size, AttentionSpec.of(Mask.banded(100), scale), 5, 14));
    out.add(problem(x, 2, 64, 64, size, new AttentionSpec(Mask.CAUSAL, scale, 0.25f, SEED), 0, 0));
    out.add(problem(x, 2, 37, 71, size, new AttentionSpec(Mask.FULL, scale, 0.5f, SEED), 0, 0));
    out.add(problem(x, 2, 70, 68, size, new AttentionSpec(banded, scale, 0.1f, ~SEED), 1));
    return out;
  }

  private static AttentionProblem problem(
      DType x, int heads, int queries, int keys, int size, AttentionSpec spec, int... positions) {
    return new AttentionProblem(
        x, AttentionProblem.Arithmetic.TENSOR, heads, queries, keys, size, spec, positions);
  }

  /// {@return the tensors, and behind them what every attention kernel takes}
  static Object[] arguments(AttentionProblem p, DeviceArray... tensors) {
    List<Object> out = new ArrayList<>(List.of(tensors));
    AttentionSpec spec = p.spec();
    out.add(p.slices());
    out.add(p.heads());
    out.add(p.queries());
    out.add(p.keys());
    out.add(spec.scale());
    out.add(p.causal());
    out.add(spec.mask().window());
    out.add(spec.seed());
    out.add(Philox.threshold(spec.dropout()));
    out.add(1 / (1 - spec.dropout()));
    return out.toArray();
  }

  @Override
  public String toString() {
    return "%s, tile %d x %d, stages %d"
        .formatted(problem, tile.rows(), tile.columns(), tile.stages());
  }
}
