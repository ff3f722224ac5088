package org.quern.cuda;

import java.util.Arrays;
import java.util.Random;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Philox;

/// An attention with random numbers: q, dy (B, H, S, D) and k, v (B, H, T, D), as their storage
/// holds them.
///
/// @param dtype the storage
/// @param arithmetic of the kernel that is to solve it
/// @param heads H
/// @param queries S
/// @param keys T
/// @param size D
/// @param spec mask, scale, dropout
/// @param positions one per batch row
record AttentionProblem(
    DType dtype,
    Arithmetic arithmetic,
    int heads,
    int queries,
    int keys,
    int size,
    AttentionSpec spec,
    int... positions) {

  /// How a kernel multiplies.
  enum Arithmetic {
    /// Operands are rounded to the storage, f32 to TF32; sums are f32.
    TENSOR,
    /// Everything is f32.
    FLOAT
  }

  /// {@return B}
  int batch() {
    return positions.length;
  }

  /// {@return B H}
  int slices() {
    return batch() * heads;
  }

  /// {@return random numbers of that many rows of D, the same for the same name}
  ///
  /// @param name of the tensor
  /// @param rows of a slice
  /// @param spread their standard deviation
  double[] random(String name, int rows, double spread) {
    Random random = new Random((name + toString()).hashCode());
    double[] out = new double[slices() * rows * size];
    for (int i = 0; i < out.length; i++) {
      out[i] = Storage.round(dtype, spread * random.nextGaussian());
    }
    return out;
  }

  /// {@return q; twice as wide as k, so that weights differ}
  double[] q() {
    return random("q", queries, 2);
  }

  double[] k() {
    return random("k", keys, 1);
  }

  double[] v() {
    return random("v", keys, 1);
  }

  /// {@return k or v as a cache holds it that nobody has written so far: NaN behind the last key
  /// that any query of its batch row sees}
  double[] unwritten(double[] rows) {
    double[] out = rows.clone();
    for (int slice = 0; slice < slices(); slice++) {
      int end = spec.mask().endKey(positions[slice / heads] + queries - 1, keys);
      Arrays.fill(out, (slice * keys + end) * size, (slice + 1) * keys * size, Double.NaN);
    }
    return out;
  }

  double[] dy() {
    return random("dy", queries, 1);
  }

  /// {@return a number as a product takes it}
  double operand(double x) {
    return dtype == DType.F32 && arithmetic == Arithmetic.TENSOR ? toTf32((float) x) : x;
  }

  /// 11 significant bits, to nearest, ties away from zero, as the PTX ISA says of `cvt.rna.tf32`.
  private static float toTf32(float x) {
    return Float.intBitsToFloat((Float.floatToRawIntBits(x) + 0x1000) & 0xffffe000);
  }

  /// {@return how much a weight may change, relative to itself, when it becomes an operand}
  double operandUnit() {
    return arithmetic == Arithmetic.FLOAT ? 0 : dtype == DType.BF16 ? 0x1p-8 : 0x1p-11;
  }

  /// {@return how much a result may change when it is stored}
  double storageUnit() {
    return switch (dtype) {
      case BF16 -> 0x1p-8;
      case F16 -> 0x1p-11;
      default -> 0x1p-24;
    };
  }

  /// {@return half of the smallest positive number of the storage: below it, rounding is absolute}
  double tiny() {
    return dtype == DType.F16 ? 0x1p-25 : 0x1p-126;
  }

  /// {@return whether query `i` of a slice sees key `j`}
  boolean sees(int slice, int i, int j) {
    Mask mask = spec.mask();
    int position = positions[slice / heads] + i;
    return j >= mask.firstKey(position) && j < mask.endKey(position, keys);
  }

  /// {@return what dropout multiplies a weight with: 0, or 1 / (1 - rate)}
  double kept(int slice, int i, int j) {
    if (spec.dropout() == 0) {
      return 1;
    }
    long element = ((long) slice * queries + i) * keys + j;
    boolean keeps = Philox.keeps(spec.seed(), element, spec.dropout());
    return keeps ? 1 / (1 - (double) spec.dropout()) : 0;
  }

  /// {@return for a kernel: 1 for a causal mask, else 0}
  int causal() {
    return spec.mask().direction() == Mask.Direction.CAUSAL ? 1 : 0;
  }

  @Override
  public String toString() {
    return "%s %s B%d H%d S%d T%d D%d %s %s"
        .formatted(
            dtype,
            arithmetic,
            batch(),
            heads,
            queries,
            keys,
            size,
            spec,
            Arrays.toString(positions));
  }
}
