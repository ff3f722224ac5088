package org.quern.cpu;

import static org.quern.cpu.CpuBuffer.floats;
import static org.quern.cpu.CpuBuffer.floatsOrNull;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.MatmulDims;
import org.quern.core.Ops;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// What both kinds of kernels share: taking tensors apart, and dividing the work.
///
/// Work is divided by shape alone, never by the number of threads, wherever the division shows in
/// the result.
abstract class CpuOps implements Ops {
  /// Elements of a task of an elementwise operation: 64 KiB, so that several operands fit a
  /// second-level cache.
  static final int CHUNK = 1 << 14;

  /// Columns of a task of a column sum: whole cache lines, and few enough for registers.
  private static final int STRIP = 64;

  /// Elementary operations that an exponential counts for.
  private static final int EXP = 8;

  final WorkerPool pool;
  final Kernels kernels;

  CpuOps(WorkerPool pool, Kernels kernels) {
    this.pool = pool;
    this.kernels = kernels;
  }

  static int parts(long whole, long part) {
    return Math.toIntExact((whole + part - 1) / part);
  }

  static int rowsPerTask(int width) {
    return Math.max(1, CHUNK / width);
  }

  static int width(Tensor x) {
    return Math.toIntExact(x.shape().last());
  }

  static int rows(Tensor x) {
    return Math.toIntExact(x.shape().rows());
  }

  /// Part of an elementwise operation.
  private interface Range {
    void run(Scratch scratch, long at, int count);
  }

  private void elements(long n, int cost, Range range) {
    pool.run(
        parts(n, CHUNK),
        n * cost,
        (scratch, task) -> {
          long at = (long) task * CHUNK;
          range.run(scratch, at, (int) Math.min(CHUNK, n - at));
        });
  }

  /// Part of an operation on rows.
  interface Row {
    /// Does one row.
    void run(Scratch scratch, int row);
  }

  final void eachRow(int rows, int width, int cost, Row body) {
    int each = rowsPerTask(width);
    pool.run(
        parts(rows, each),
        (long) rows * width * cost,
        (scratch, task) -> {
          int end = Math.min(rows, (task + 1) * each);
          for (int row = task * each; row < end; row++) {
            body.run(scratch, row);
          }
        });
  }

  /// Part of an operation on columns.
  private interface Columns {
    void run(Scratch scratch, int at, int count);
  }

  private void columns(int rows, int width, int cost, Columns body) {
    pool.run(
        parts(width, STRIP),
        (long) rows * width * cost,
        (scratch, task) -> {
          int at = task * STRIP;
          body.run(scratch, at, Math.min(STRIP, width - at));
        });
  }

  // --- memory ---

  @Override
  public final void fill(Tensor y, float value) {
    MemorySegment bytes = CpuBuffer.bytes(y);
    switch (y.dtype()) {
      case F32 ->
          elements(y.elements(), 1, (s, at, count) -> kernels.fill(bytes, at, count, value));
      case BF16, F16 -> {
        short bits = Storage.toShort(value, y.dtype());
        elements(
            y.elements(),
            1,
            (s, at, count) -> {
              short[] part = s.shorts(count);
              Arrays.fill(part, 0, count, bits);
              MemorySegment.copy(part, 0, bytes, Native.SHORT, at * Short.BYTES, count);
            });
      }
      case I32 -> throw Storage.notReal("fill", y.dtype());
    }
  }

  @Override
  public final void copy(Tensor y, Tensor x) {
    if (y.dtype() != x.dtype()) {
      throw new IllegalArgumentException(
          "copy: y %s and x %s must have the same storage; use convert"
              .formatted(y.dtype(), x.dtype()));
    }
    MemorySegment to = CpuBuffer.bytes(y);
    MemorySegment from = CpuBuffer.bytes(x);
    int size = x.dtype().bytes();
    elements(
        x.elements(),
        1,
        (s, at, n) -> MemorySegment.copy(from, at * size, to, at * size, (long) n * size));
  }

  @Override
  public final void convert(Tensor y, Tensor x) {
    if (x.dtype() == y.dtype() && x.dtype() != DType.I32) {
      copy(y, x);
    } else {
      elements(x.elements(), 2, (s, at, count) -> Storage.convert(s, y, x, at, count));
    }
  }

  // --- elementwise ---

  @Override
  public final void add(Tensor y, Tensor a, Tensor b) {
    MemorySegment to = floats(y);
    MemorySegment left = floats(a);
    MemorySegment right = floats(b);
    elements(y.elements(), 1, (s, at, count) -> kernels.add(s, to, at, left, at, right, at, count));
  }

  @Override
  public final void axpy(Sink y, float alpha, Tensor x) {
    MemorySegment to = floats(y.tensor());
    MemorySegment from = floats(x);
    elements(
        x.elements(),
        1,
        (s, at, count) -> kernels.axpy(s, to, at, y.mode(), alpha, from, at, count));
  }

  @Override
  public final void scale(Tensor y, Tensor x, float alpha) {
    axpy(Sink.set(y), alpha, x);
  }

  @Override
  public final void biasActivation(Tensor y, Tensor h, @Nullable Tensor bias, Activation f) {
    MemorySegment to = floats(y);
    MemorySegment pre = floats(h);
    MemorySegment add = floatsOrNull(bias);
    int width = width(h);
    int parts = parts(width, CHUNK);
    int each = parts > 1 ? 1 : rowsPerTask(width);
    int rows = rows(h);
    pool.run(
        Math.multiplyExact(parts(rows, each), parts),
        h.elements() * EXP,
        (s, task) -> {
          int at = task % parts * CHUNK;
          int count = Math.min(CHUNK, width - at);
          int row = task / parts * each;
          int some = Math.min(each, rows - row);
          long first = (long) row * width + at;
          kernels.biasActivation(s, to, pre, some, width, first, add, at, count, f);
        });
  }

  @Override
  public final void activationBackward(Sink dx, Tensor dy, Tensor h, Activation f) {
    MemorySegment to = floats(dx.tensor());
    MemorySegment from = floats(dy);
    MemorySegment pre = floats(h);
    elements(
        h.elements(),
        EXP,
        (s, at, n) -> kernels.activationBackward(s, to, dx.mode(), from, pre, at, n, f));
  }

  @Override
  public final void dropout(Sink y, Tensor x, float rate, long seed) {
    MemorySegment to = floats(y.tensor());
    MemorySegment from = floats(x);
    elements(
        x.elements(),
        2 * EXP,
        (s, at, count) -> {
          float[] factors = s.floats(Slots.DROPOUT, count);
          kernels.dropoutFactors(s, factors, seed, at, count, rate);
          kernels.dropout(s, to, y.mode(), from, at, count, factors);
        });
  }

  // --- matrix products ---

  @Override
  public final void matmul(Sink c, Tensor a, Trans ta, Tensor b, Trans tb, float alpha) {
    MatmulDims dims = MatmulDims.of(c.tensor().shape(), a.shape(), ta, b.shape(), tb);
    product(dims, floats(c.tensor()), c.mode(), floats(a), ta, floats(b), tb, alpha);
  }

  /// {@return the weight as [#linear] reads it best, or itself}
  ///
  /// @param weight (O, C)
  /// @param precision how its numbers are held
  /// @param owner takes the memory
  abstract Tensor prepare(Tensor weight, Precision precision, Scope owner);

  /// `c = alpha op(a) op(b)` or `c += ...`, batched.
  abstract void product(
      MatmulDims dims,
      MemorySegment c,
      Sink.Mode mode,
      MemorySegment a,
      Trans ta,
      MemorySegment b,
      Trans tb,
      float alpha);

  @Override
  public final void sumRows(Sink dbias, Tensor dy) {
    MemorySegment to = floats(dbias.tensor());
    MemorySegment from = floats(dy);
    int rows = rows(dy);
    int width = width(dy);
    columns(
        rows,
        width,
        1,
        (s, at, count) -> kernels.sumRows(s, to, dbias.mode(), from, rows, width, at, count));
  }

  // --- normalization ---

  @Override
  public final void layerNorm(
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor x,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon) {
    MemorySegment to = floats(y);
    MemorySegment means = floats(mean);
    MemorySegment rstds = floats(rstd);
    MemorySegment from = floats(x);
    MemorySegment g = floats(gamma);
    MemorySegment b = floatsOrNull(beta);
    int width = width(x);
    eachRow(
        rows(x),
        width,
        2,
        (s, row) -> kernels.layerNormRow(s, to, means, rstds, from, g, b, epsilon, row, width));
  }

  @Override
  public final void addLayerNorm(
      Tensor sum,
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor a,
      Tensor b,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon) {
    MemorySegment total = floats(sum);
    MemorySegment left = floats(a);
    MemorySegment right = floats(b);
    MemorySegment to = floats(y);
    MemorySegment means = floats(mean);
    MemorySegment rstds = floats(rstd);
    MemorySegment g = floats(gamma);
    MemorySegment shift = floatsOrNull(beta);
    int width = width(a);
    eachRow(
        rows(a),
        width,
        3,
        (s, row) -> {
          long at = (long) row * width;
          kernels.add(s, total, at, left, at, right, at, width); // the row is then in the cache
          kernels.layerNormRow(s, to, means, rstds, total, g, shift, epsilon, row, width);
        });
  }

  @Override
  public final void layerNormBackward(
      Sink dx,
      Sink dgamma,
      @Nullable Sink dbeta,
      Tensor dy,
      Tensor x,
      Tensor gamma,
      Tensor mean,
      Tensor rstd) {
    MemorySegment grad = floats(dy);
    MemorySegment from = floats(x);
    MemorySegment g = floats(gamma);
    float[] means = floats(mean).toArray(Native.FLOAT);
    float[] rstds = floats(rstd).toArray(Native.FLOAT);
    int width = width(x);
    MemorySegment toGamma = floats(dgamma.tensor());
    MemorySegment toBeta = floatsOrNull(dbeta == null ? null : dbeta.tensor());
    Sink.Mode betaMode = dbeta == null ? Sink.Mode.SET : dbeta.mode();
    // The columns first: they read dy, and with SET dx may be the same tensor.
    columns(
        means.length,
        width,
        3,
        (s, at, count) ->
            kernels.layerNormBackwardColumns(
                s,
                toGamma,
                dgamma.mode(),
                toBeta,
                betaMode,
                grad,
                from,
                means,
                rstds,
                width,
                at,
                count));
    MemorySegment to = floats(dx.tensor());
    eachRow(
        means.length,
        width,
        3,
        (s, row) ->
            kernels.layerNormBackwardRow(
                s, to, dx.mode(), grad, from, g, means[row], rstds[row], row, width));
  }

  // --- attention ---

  @Override
  public final void splitHeads(Tensor q, Tensor k, Tensor v, Tensor qkv, Tensor positions) {
    Heads.split(this, q, k, v, qkv, CpuBuffer.ints(positions));
  }

  @Override
  public final void splitHeadsBackward(Sink dqkv, Tensor dq, Tensor dk, Tensor dv) {
    Heads.splitBackward(this, dqkv, dq, dk, dv);
  }

  @Override
  public final void mergeHeads(Tensor y, Tensor x) {
    Heads.merge(this, y, x);
  }

  @Override
  public final void mergeHeadsBackward(Sink dx, Tensor dy) {
    Heads.mergeBackward(this, dx, dy);
  }

  @Override
  public final void maskedSoftmax(
      Tensor y, Tensor lse, Tensor x, AttentionSpec spec, Tensor positions) {
    Softmax.forward(this, y, lse, x, spec, CpuBuffer.ints(positions));
  }

  @Override
  public final void maskedSoftmaxBackward(
      Sink dx, Tensor dy, Tensor x, Tensor lse, AttentionSpec spec, Tensor positions) {
    Softmax.backward(this, dx, dy, x, lse, spec, CpuBuffer.ints(positions));
  }

  // --- embedding ---

  @Override
  public final void embed(
      Tensor y, Tensor ids, Tensor wte, @Nullable Tensor wpe, Tensor positions) {
    Embedding.forward(this, y, CpuBuffer.ints(ids), wte, wpe, CpuBuffer.ints(positions));
  }

  @Override
  public final void embedBackward(
      Sink dwte, @Nullable Sink dwpe, Tensor dy, Tensor ids, Tensor positions) {
    Embedding.backward(this, dwte, dwpe, dy, CpuBuffer.ints(ids), CpuBuffer.ints(positions));
  }

  // --- head ---

  @Override
  public final void crossEntropy(
      Tensor losses, @Nullable Tensor dx, Tensor x, Tensor targets, int ignore, float scale) {
    MemorySegment loss = floats(losses);
    MemorySegment to = floatsOrNull(dx);
    MemorySegment from = floats(x);
    int[] wanted = CpuBuffer.ints(targets);
    int width = width(x);
    eachRow(
        rows(x),
        width,
        2 * EXP,
        (s, row) -> {
          long at = (long) row * width;
          if (wanted[row] == ignore) {
            Native.set(loss, row, 0);
            if (to != null) {
              kernels.fill(to, at, width, 0);
            }
          } else {
            Native.set(
                loss, row, kernels.crossEntropyRow(s, to, from, at, width, wanted[row], scale));
          }
        });
  }

  // --- optimizer ---

  @Override
  public final void adamW(Tensor w, Tensor m, Tensor v, Tensor g, AdamWSpec spec) {
    MemorySegment weights = floats(w);
    MemorySegment first = floats(m);
    MemorySegment second = floats(v);
    MemorySegment grad = floats(g);
    elements(
        w.elements(),
        4,
        (s, at, count) -> kernels.adamW(s, weights, first, second, grad, at, count, spec));
  }

  @Override
  public final void sumOfSquares(Tensor y, Tensor x) {
    MemorySegment from = floats(x);
    double[] parts = new double[parts(x.elements(), CHUNK)];
    elements(
        x.elements(),
        1,
        (s, at, count) -> parts[(int) (at / CHUNK)] = kernels.sumOfSquares(s, from, at, count));
    double sum = 0;
    for (double part : parts) {
      sum += part;
    }
    Native.set(floats(y), 0, (float) sum);
  }
}
