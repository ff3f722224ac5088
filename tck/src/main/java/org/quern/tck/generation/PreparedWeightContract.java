package org.quern.tck.generation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.quern.core.Activation;
import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Tensor;
import org.quern.tck.reference.Rounding;

/// Weights held as `quern.precision` says: what products make of them is the weight rounded, and
/// nothing else.
public abstract class PreparedWeightContract {
  /// Rows of x: those that decoding has, and more.
  private static final int[] ROWS = {1, 2, 3, 4, 5, 13, 40};

  private static final int OUTPUTS = 71;
  private static final int BLOCK = 32;

  /// The unit roundoff of f32.
  private static final double EPS = 0x1p-24;

  /// For subclasses.
  protected PreparedWeightContract() {}

  /// {@return the backend under test with that setting, open}
  ///
  /// @param precision how it holds weights
  protected abstract Backend open(Precision precision);

  /// {@return the precisions that the backend has}
  protected Set<Precision> precisions() {
    return EnumSet.allOf(Precision.class);
  }

  /// {@return the widths to try: less than a block of Q8, whole blocks, some over}
  protected int[] widths() {
    return new int[] {1, 13, 32, 33, 100};
  }

  /// {@return a number of x as products read it: itself, where they do not round it}
  ///
  /// @param precision of the weight
  /// @param x the number
  protected float activation(Precision precision, float x) {
    return x;
  }

  private static float[] normal(long seed, int count) {
    Random random = new Random(seed);
    float[] out = new float[count];
    for (int i = 0; i < count; i++) {
      out[i] = (float) random.nextGaussian();
    }
    return out;
  }

  /// Checks one number of a row, as a product gives it.
  ///
  /// @param row of the weight, exact
  /// @param c which number of it
  private static void check(Precision precision, float[] row, int c, float found, String what) {
    switch (precision) {
      case F32 -> assertEquals(row[c], found, what);
      case BF16 -> assertEquals(Rounding.bf16(Rounding.toBf16(row[c])), found, what);
      case F16 -> assertEquals(Float.float16ToFloat(Float.floatToFloat16(row[c])), found, what);
      case Q8 -> {
        double most = 0;
        for (int i = c / BLOCK * BLOCK; i < Math.min(row.length, (c / BLOCK + 1) * BLOCK); i++) {
          most = Math.max(most, Math.abs(row[i]));
        }
        // A multiple of the block's scale, and the nearest: but for the rounding of two products
        // and a quotient, to which OpenCL allows five times as much.
        double scale = most / 127;
        double levels = found / scale;
        double slack = 127 * 8 * EPS;
        assertEquals(Math.rint(levels), levels, slack, what + " is no multiple of " + scale);
        assertEquals(row[c], found, scale * (0.5 + slack), what);
      }
    }
  }

  /// Rows of a unit matrix give back the weight's columns.
  @Test
  public void aProductReadsTheWeightRounded() {
    for (Precision precision : precisions()) {
      try (Backend backend = open(precision)) {
        for (int width : widths()) {
          float[] weight = normal(width, OUTPUTS * width);
          try (Scope scope = backend.open("weights")) {
            Tensor w = scope.floats(OUTPUTS, width);
            backend.upload(w, weight);
            Tensor prepared = backend.prepare(w, scope);
            for (int rows : ROWS) {
              unitRows(backend, precision, weight, prepared, rows, width);
            }
          }
        }
        assertEquals(0, backend.pool().stats().inUse(), "bytes in use");
      }
    }
  }

  private static void unitRows(
      Backend backend, Precision precision, float[] weight, Tensor prepared, int rows, int width) {
    for (int first = 0; first < width; first += Math.max(rows, width / 3)) {
      float[] x = new float[rows * width];
      for (int i = 0; i < rows; i++) {
        x[i * width + (first + i) % width] = 1;
      }
      float[] y = product(backend, x, prepared, null, rows, width);
      for (int i = 0; i < rows; i++) {
        int c = (first + i) % width;
        for (int o = 0; o < OUTPUTS; o++) {
          float[] row = Arrays.copyOfRange(weight, o * width, (o + 1) * width);
          check(precision, row, c, y[i * OUTPUTS + o], precision + " " + rows + " x " + width);
        }
      }
    }
  }

  private static float[] product(
      Backend backend, float[] x, Tensor w, float @Nullable [] bias, int rows, int width) {
    try (Scope scope = backend.open("product")) {
      Tensor xt = scope.floats(rows, width);
      backend.upload(xt, x);
      Tensor b = null;
      if (bias != null) {
        b = scope.floats(OUTPUTS);
        backend.upload(b, bias);
      }
      Tensor y = scope.floats(rows, OUTPUTS);
      backend.ops().fill(y, Float.NaN);
      backend.ops().linear(y, y, xt, w, b, Activation.NONE);
      float[] once = backend.floats(y);
      backend.ops().fill(y, Float.NaN);
      backend.ops().linear(y, y, xt, w, b, Activation.NONE);
      assertArrayEquals(once, backend.floats(y), "the same bits twice");
      return once;
    }
  }

  /// A product is the float64 product of [#activation] with the rounded weight, but for the
  /// rounding of f32 sums.
  @Test
  public void arithmeticIsF32() {
    for (Precision precision : precisions()) {
      try (Backend backend = open(precision)) {
        for (int width : widths()) {
          try (Scope scope = backend.open("weights")) {
            Tensor w = scope.floats(OUTPUTS, width);
            backend.upload(w, normal(width, OUTPUTS * width));
            Tensor prepared = backend.prepare(w, scope);
            float[] rounded = rounded(backend, prepared, width);
            for (int rows : ROWS) {
              compare(backend, precision, prepared, rounded, rows, width);
            }
          }
        }
        assertEquals(0, backend.pool().stats().inUse(), "bytes in use");
      }
    }
  }

  /// {@return the weight as one row of x at a time sees it, (C, O)}
  private static float[] rounded(Backend backend, Tensor prepared, int width) {
    float[] x = new float[width * width];
    for (int i = 0; i < width; i++) {
      x[i * width + i] = 1;
    }
    return product(backend, x, prepared, null, width, width);
  }

  private void compare(
      Backend backend, Precision precision, Tensor prepared, float[] rounded, int rows, int width) {
    float[] x = normal(rows, rows * width);
    float[] bias = normal(rows + 1, OUTPUTS);
    float[] y = product(backend, x, prepared, bias, rows, width);
    for (int i = 0; i < x.length; i++) {
      x[i] = activation(precision, x[i]);
    }
    for (int i = 0; i < rows; i++) {
      for (int o = 0; o < OUTPUTS; o++) {
        double sum = bias[o];
        double size = Math.abs(bias[o]);
        for (int c = 0; c < width; c++) {
          double term = (double) x[i * width + c] * rounded[c * OUTPUTS + o];
          sum += term;
          size += Math.abs(term);
        }
        // Each term passes at most width additions, and is a product of two factors and a scale.
        double bound = (width + 4) * EPS * size;
        assertEquals(sum, y[i * OUTPUTS + o], bound, precision + " " + rows + " x " + width);
      }
    }
  }

  /// What is kept beside the weight is as small as promised.
  @Test
  public void memoryIsWhatThePrecisionSays() {
    for (Precision precision : precisions()) {
      try (Backend backend = open(precision);
          Scope scope = backend.open("weights")) {
        Tensor w = scope.floats(1024, 1024);
        backend.ops().fill(w, 1);
        long before = backend.pool().stats().inUse();
        Tensor prepared = backend.prepare(w, scope);
        assertEquals(w.shape(), prepared.shape());
        double share = (double) (backend.pool().stats().inUse() - before) / w.bytes();
        double most =
            switch (precision) {
              case F32 -> 1;
              case BF16, F16 -> 1 / 2.0;
              case Q8 -> 9 / 32.0;
            };
        // Pools hand out sizes of which there are eight in each power of two.
        assertTrue(share <= most * 1.125, precision + ": " + share);
      }
    }
  }
}
