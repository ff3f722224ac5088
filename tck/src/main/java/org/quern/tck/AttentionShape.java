package org.quern.tck;

import java.util.Arrays;
import java.util.List;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// The sizes of an attention case.
///
/// @param batch B
/// @param heads H
/// @param queries S
/// @param keys T
/// @param positions one a batch row
record AttentionShape(int batch, int heads, int queries, int keys, List<Integer> positions) {
  private static final long SEED = 0xFEDCBA9876543210L;

  /// Training, prefill into a full cache, ragged decoding, padding in front that sees nothing, more
  /// queries than keys.
  static final AttentionShape[] ALL = {
    of(1, 1, 1, 1, 0),
    of(2, 3, 7, 7, 0, 0),
    of(1, 2, 13, 64, 51),
    of(3, 1, 1, 127, 126, 0, 60),
    of(2, 2, 7, 13, -3, 6),
    of(1, 1, 64, 207, 100),
    of(1, 1, 13, 3, -5),
    of(1, 1, 3, 771, 768),
  };

  /// Dense, open, a band of one key, a band, a band wider than all keys, an open band.
  static final Mask[] MASKS = {
    Mask.CAUSAL,
    Mask.FULL,
    Mask.banded(1),
    Mask.banded(5),
    Mask.banded(100_000),
    new Mask(Mask.Direction.FULL, 4),
  };

  static AttentionShape of(int batch, int heads, int queries, int keys, int... positions) {
    return new AttentionShape(
        batch, heads, queries, keys, Arrays.stream(positions).boxed().toList());
  }

  /// {@return a short text for a mask}
  static String text(Mask m) {
    return m.direction() + (m.window() == Mask.UNBOUNDED ? "" : " window " + m.window());
  }

  /// {@return scale for that head size, and dropout}
  static AttentionSpec spec(Mask mask, int size, float dropout) {
    return new AttentionSpec(mask, (float) (1 / Math.sqrt(size)), dropout, SEED);
  }

  Tensor positions(Trial t) {
    return t.ints("positions", Shape.of(batch), positions.stream().mapToInt(i -> i).toArray());
  }

  /// {@return whether query i of batch row b sees key j, straight from the definition in [Mask]}
  boolean sees(Mask m, int b, int i, int j) {
    long p = (long) positions.get(b) + i;
    boolean causal = m.direction() == Mask.Direction.FULL || j <= p;
    boolean near = m.window() == Mask.UNBOUNDED || j > p - m.window();
    return causal && near;
  }

  /// {@return scores (B, H, S, T), NaN where the mask hides}
  double[] scores(Trial t, Mask mask, double factor) {
    double[] x = t.normals("x", (long) batch * heads * queries * keys);
    for (int n = 0; n < x.length; n++) {
      int b = n / keys / queries / heads;
      x[n] = sees(mask, b, n / keys % queries, n % keys) ? x[n] * factor : Double.NaN;
    }
    return x;
  }

  /// {@return keys or values (B, H, T, D), huge in rows that no query of their text sees}
  Tensor cache(Trial t, String what, Mask mask, int size, double factor) {
    return cache(t, what, DType.F32, mask, size, factor);
  }

  /// {@return the same in another storage}
  Tensor cache(Trial t, String what, DType dtype, Mask mask, int size, double factor) {
    double huge = dtype == DType.F16 ? 60_000 : 1e18; // F16 ends at 65,504
    double[] x = t.normals(what, (long) batch * heads * keys * size);
    for (int n = 0; n < x.length; n++) {
      int b = n / size / keys / heads;
      int j = n / size % keys;
      boolean seen = false;
      for (int i = 0; i < queries; i++) {
        seen |= sees(mask, b, i, j);
      }
      x[n] = seen ? x[n] * factor : huge;
    }
    return t.input(what, dtype, Shape.of(batch, heads, keys, size), x);
  }

  @Override
  public String toString() {
    return "B=%d H=%d S=%d T=%d at %s".formatted(batch, heads, queries, keys, positions);
  }
}
