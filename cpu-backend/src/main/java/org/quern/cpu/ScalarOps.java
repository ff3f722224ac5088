package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.Compositions;
import org.quern.core.DType;
import org.quern.core.MatmulDims;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// The operations in plain Java, for a Java run without `jdk.incubator.vector`. The JIT vectorizes
/// most of these loops, at about a quarter of what [VectorOps] reaches.
final class ScalarOps extends CpuOps {
  private static final int ROWS = 64;
  private static final int COLUMNS = 512;
  private static final int DEPTH = 128;

  ScalarOps(WorkerPool pool) {
    super(pool, new ScalarKernels());
  }

  /// One product of a batch: where its matrices start, and the factor.
  private record Product(
      MatmulDims dims,
      MemorySegment c,
      long cAt,
      Sink.Mode mode,
      MemorySegment a,
      long aAt,
      Trans ta,
      MemorySegment b,
      Precision held,
      long bAt,
      Trans tb,
      float alpha) {}

  @Override
  void product(
      MatmulDims dims,
      MemorySegment c,
      Sink.Mode mode,
      MemorySegment a,
      Trans ta,
      MemorySegment b,
      Trans tb,
      float alpha) {
    product(dims, c, mode, a, ta, b, Precision.F32, tb, alpha);
  }

  private void product(
      MatmulDims dims,
      MemorySegment c,
      Sink.Mode mode,
      MemorySegment a,
      Trans ta,
      MemorySegment b,
      Precision held,
      Trans tb,
      float alpha) {
    int down = parts(dims.m(), ROWS);
    int across = parts(dims.n(), COLUMNS);
    int tiles = down * across;
    pool.run(
        Math.toIntExact(Math.multiplyExact(dims.batch(), (long) tiles)),
        dims.flops(),
        (scratch, task) -> {
          long item = task / tiles;
          int tile = task % tiles;
          Product p =
              new Product(
                  dims,
                  c,
                  item * dims.m() * dims.n(),
                  mode,
                  a,
                  item * dims.m() * dims.k(),
                  ta,
                  b,
                  held,
                  item * dims.k() * dims.n(),
                  tb,
                  alpha);
          tile(scratch, p, tile / across * ROWS, tile % across * COLUMNS);
        });
  }

  private static void tile(Scratch scratch, Product p, int firstRow, int firstColumn) {
    MatmulDims dims = p.dims();
    int rows = Math.min(ROWS, dims.m() - firstRow);
    int columns = Math.min(COLUMNS, dims.n() - firstColumn);
    float[][] left = scratch.rows(0, ROWS, DEPTH);
    float[][] right = scratch.rows(1, DEPTH, COLUMNS);
    float[][] sums = scratch.rows(2, ROWS, COLUMNS);
    for (int i = 0; i < rows; i++) {
      Arrays.fill(sums[i], 0, columns, 0);
    }
    for (int k = 0; k < dims.k(); k += DEPTH) {
      int depth = Math.min(DEPTH, dims.k() - k);
      float[] line = scratch.floats(0, Math.max(DEPTH, COLUMNS));
      if (p.ta() == Trans.N) {
        rows(left, p.a(), p.aAt() + (long) firstRow * dims.k() + k, dims.k(), rows, depth);
      } else {
        long at = p.aAt() + (long) k * dims.m() + firstRow;
        columns(left, line, p.a(), at, dims.m(), depth, rows);
      }
      if (p.held() != Precision.F32) {
        prepared(scratch, right, line, p, firstColumn, columns, k, depth);
      } else if (p.tb() == Trans.N) {
        rows(right, p.b(), p.bAt() + (long) k * dims.n() + firstColumn, dims.n(), depth, columns);
      } else {
        long at = p.bAt() + (long) firstColumn * dims.k() + k;
        columns(right, line, p.b(), at, dims.k(), columns, depth);
      }
      for (int i = 0; i < rows; i++) {
        accumulate(sums[i], left[i], right, depth, columns);
      }
    }
    merge(scratch, p, sums, firstRow, rows, firstColumn, columns);
  }

  @Override
  Tensor prepare(Tensor weight, Precision precision, Scope owner) {
    if (precision == Precision.F32) {
      return weight;
    }
    int n = rows(weight);
    int k = width(weight);
    long row = RowWeights.bytes(precision, k);
    Tensor memory = owner.allocate(DType.F32, Shape.of(parts(n * row, Float.BYTES)));
    MemorySegment target = CpuBuffer.bytes(memory);
    MemorySegment from = CpuBuffer.floats(weight);
    pool.run(
        n,
        4L * n * k,
        (scratch, i) -> {
          float[] line = scratch.floats(0, k);
          Native.load(line, 0, from, (long) i * k, k);
          RowWeights.store(line, k, target, i * row, precision);
        });
    return new PreparedBuffer(weight, target, precision).tensor();
  }

  @Override
  public void linear(Tensor y, Tensor h, Tensor x, Tensor w, @Nullable Tensor bias, Activation f) {
    PreparedBuffer weight = PreparedBuffer.orNull(w);
    if (weight == null) {
      Compositions.linear(this, y, h, x, w, bias, f);
      return;
    }
    MatmulDims dims = MatmulDims.of(h.shape(), x.shape(), Trans.N, w.shape(), Trans.T);
    product(
        dims,
        CpuBuffer.floats(h),
        Sink.Mode.SET,
        CpuBuffer.floats(x),
        Trans.N,
        weight.prepared(),
        weight.precision(),
        Trans.T,
        1);
    if (bias != null || f != Activation.NONE || !y.equals(h)) {
      biasActivation(y, h, bias, f);
    }
  }

  /// Copies a part of each of some rows of a prepared weight to columns.
  private static void prepared(
      Scratch scratch,
      float[][] to,
      float[] line,
      Product p,
      int first,
      int count,
      int k,
      int depth) {
    long row = RowWeights.bytes(p.held(), p.dims().k());
    for (int i = 0; i < count; i++) {
      RowWeights.load(scratch, line, p.b(), (first + i) * row, k, depth, p.held());
      for (int l = 0; l < depth; l++) {
        to[l][i] = line[l];
      }
    }
  }

  /// Copies `count` rows of a row-major matrix.
  private static void rows(
      float[][] to, MemorySegment from, long at, int stride, int count, int length) {
    for (int i = 0; i < count; i++) {
      Native.load(to[i], 0, from, at + (long) i * stride, length);
    }
  }

  /// Copies `count` rows of a row-major matrix to columns.
  private static void columns(
      float[][] to, float[] line, MemorySegment from, long at, int stride, int count, int length) {
    for (int i = 0; i < count; i++) {
      Native.load(line, 0, from, at + (long) i * stride, length);
      for (int k = 0; k < length; k++) {
        to[k][i] = line[k];
      }
    }
  }

  /// `c += a b` for one row, four rows of b at a time so that c is read and written less often.
  private static void accumulate(float[] c, float[] a, float[][] b, int depth, int columns) {
    int k = 0;
    for (; k + 4 <= depth; k += 4) {
      four(c, a[k], b[k], a[k + 1], b[k + 1], a[k + 2], b[k + 2], a[k + 3], b[k + 3], columns);
    }
    for (; k < depth; k++) {
      float x = a[k];
      float[] row = b[k];
      for (int j = 0; j < columns; j++) {
        c[j] = Math.fma(x, row[j], c[j]);
      }
    }
  }

  private static void four(
      float[] c,
      float x0,
      float[] b0,
      float x1,
      float[] b1,
      float x2,
      float[] b2,
      float x3,
      float[] b3,
      int columns) {
    for (int j = 0; j < columns; j++) {
      float s = Math.fma(x0, b0[j], c[j]);
      s = Math.fma(x1, b1[j], s);
      s = Math.fma(x2, b2[j], s);
      c[j] = Math.fma(x3, b3[j], s);
    }
  }

  private static void merge(
      Scratch scratch,
      Product p,
      float[][] sums,
      int firstRow,
      int rows,
      int firstColumn,
      int columns) {
    float[] old = scratch.floats(0, COLUMNS);
    for (int i = 0; i < rows; i++) {
      long at = p.cAt() + (long) (firstRow + i) * p.dims().n() + firstColumn;
      float[] sum = sums[i];
      for (int j = 0; j < columns; j++) {
        sum[j] *= p.alpha();
      }
      if (p.mode() == Sink.Mode.ADD) {
        Native.load(old, 0, p.c(), at, columns);
        for (int j = 0; j < columns; j++) {
          sum[j] += old[j];
        }
      }
      Native.store(p.c(), at, sum, 0, columns);
    }
  }
}
