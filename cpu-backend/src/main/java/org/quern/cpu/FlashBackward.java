package org.quern.cpu;

import static org.quern.cpu.CpuBuffer.floats;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.quern.core.AttentionSpec;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// The gradient of attention without the S x T matrix (arXiv:2307.08691, algorithm 2): weights are
/// computed again from the log-sum-exp, tile by tile, five products a tile. One object is the work
/// of one thread on one head: its gradients are sums in one order, whoever computes them.
final class FlashBackward {
  private static final int ROWS = PackedTile.ROWS;
  private static final int WIDTH = PackedTile.WIDTH;
  private static final int STRIDE = ScoreTile.STRIDE;
  private static final int L = Lanes.COUNT;

  /// Queries of a tile.
  private static final int QUERIES = 8 * ROWS;

  /// Keys of a tile: its scores and their gradients, and the panels of its keys, values, queries
  /// and gradients fit a second-level cache together.
  private static final int KEYS = ScoreTile.KEYS / 2;

  // The memory of a scratch, apart from that of Packing.
  private static final int LEFT_QUERIES = 1;
  private static final int LEFT_GRADIENTS = 2;
  private static final int TURNED_KEYS = 1;
  private static final int TURNED_VALUES = 2;
  private static final int KEY_ROWS = 3;
  private static final int QUERY_ROWS = 4;
  private static final int GRADIENT_ROWS = 5;
  private static final int SCORES = 2;
  private static final int SCORE_GRADIENTS = 3;
  private static final int QUERY_RESULT = 4;
  private static final int KEY_RESULT = 5;
  private static final int VALUE_RESULT = 6;
  private static final int STATISTICS = 7;
  private static final int DELTAS = 8;
  private static final int FACTORS = 9;

  private final FlashHead head;
  private final Scratch scratch;
  private final MemorySegment q;
  private final MemorySegment dy;
  private final int padded;
  private final MemorySegment keyPanels;
  private final MemorySegment valuePanels;
  private final MemorySegment keyRows;
  private final MemorySegment queryRows;
  private final MemorySegment gradientRows;
  private final float[] scores;
  private final float[] gradients;
  private final float[] dq;
  private final float[] dk;
  private final float[] dv;
  private final float[] lse2;
  private final float[] delta;
  private final int[] low = new int[ROWS];
  private final int[] high = new int[ROWS];

  private FlashBackward(FlashHead head, Scratch scratch, MemorySegment q, MemorySegment dy) {
    this.head = head;
    this.scratch = scratch;
    this.q = q;
    this.dy = dy;
    padded = head.padded();
    long across = (long) KEYS * padded;
    keyPanels = scratch.panel(TURNED_KEYS, across);
    valuePanels = scratch.panel(TURNED_VALUES, across);
    keyRows = scratch.panel(KEY_ROWS, across);
    queryRows = scratch.panel(QUERY_ROWS, (long) QUERIES * padded);
    gradientRows = scratch.panel(GRADIENT_ROWS, (long) QUERIES * padded);
    scores = scratch.floats(SCORES, QUERIES * STRIDE);
    gradients = scratch.floats(SCORE_GRADIENTS, QUERIES * STRIDE);
    int rows = head.queries() + ROWS;
    dq = scratch.floats(QUERY_RESULT, Math.multiplyExact(rows, padded));
    dk = scratch.floats(KEY_RESULT, (KEYS + ROWS) * padded);
    dv = scratch.floats(VALUE_RESULT, (KEYS + ROWS) * padded);
    lse2 = scratch.floats(STATISTICS, rows);
    delta = scratch.floats(DELTAS, rows);
  }

  /// [org.quern.core.Ops#attentionBackward].
  static void run(
      CpuOps ops,
      Sink dq,
      Sink dk,
      Sink dv,
      Tensor dy,
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      int[] positions) {
    MemorySegment toQ = floats(dq.tensor());
    MemorySegment toK = floats(dk.tensor());
    MemorySegment toV = floats(dv.tensor());
    MemorySegment grad = floats(dy);
    MemorySegment result = floats(y);
    MemorySegment lses = floats(lse);
    MemorySegment queries = floats(q);
    MemorySegment keys = floats(k);
    MemorySegment values = floats(v);
    int heads = Math.multiplyExact(q.shape().intDim(0), q.shape().intDim(1));
    ops.pool.run(
        heads,
        5 * q.elements() * k.shape().dim(2),
        (scratch, task) -> {
          FlashHead head = FlashHead.of(q, k, spec, positions, task);
          FlashBackward work = new FlashBackward(head, scratch, queries, grad);
          work.statistics(result, lses);
          for (int first = 0; first < head.keys(); first += KEYS) {
            int end = Math.min(head.keys(), first + KEYS);
            work.keys(keys, values, first, end);
            long at = head.keyAt() + (long) first * head.size();
            work.write(ops.kernels, toK, dk.mode(), at, work.dk, end - first);
            work.write(ops.kernels, toV, dv.mode(), at, work.dv, end - first);
          }
          work.write(ops.kernels, toQ, dq.mode(), head.queryAt(), work.dq, head.queries());
        });
  }

  /// The log-sum-exp in units of log2, and `delta[i] = sum_d dy[i, d] y[i, d]`, which is the sum of
  /// the weights times their gradients.
  private void statistics(MemorySegment y, MemorySegment lse) {
    int size = head.size();
    int queries = head.queries();
    float[] one = scratch.floats(SCORES, size);
    float[] other = scratch.floats(SCORE_GRADIENTS, size);
    for (int i = 0; i < queries; i++) {
      long at = head.queryAt() + (long) i * size;
      Native.load(one, 0, y, at, size);
      Native.load(other, 0, dy, at, size);
      delta[i] = dot(one, other, size);
      lse2[i] = (float) (Native.get(lse, head.index() * queries + i) * FlashHead.LOG2_E);
    }
    Arrays.fill(lse2, queries, queries + ROWS, 0);
    Arrays.fill(delta, queries, queries + ROWS, 0);
    Arrays.fill(dq, 0, (queries + ROWS) * padded, 0);
  }

  private static float dot(float[] a, float[] b, int n) {
    float s0 = 0;
    float s1 = 0;
    float s2 = 0;
    float s3 = 0;
    int i = 0;
    for (; i + 4 <= n; i += 4) {
      s0 = Math.fma(a[i], b[i], s0);
      s1 = Math.fma(a[i + 1], b[i + 1], s1);
      s2 = Math.fma(a[i + 2], b[i + 2], s2);
      s3 = Math.fma(a[i + 3], b[i + 3], s3);
    }
    for (; i < n; i++) {
      s0 = Math.fma(a[i], b[i], s0);
    }
    return (s0 + s1) + (s2 + s3);
  }

  /// The gradients of one block of keys and values, and its part of the queries'.
  private void keys(MemorySegment k, MemorySegment v, int first, int end) {
    Arrays.fill(dk, 0);
    Arrays.fill(dv, 0);
    boolean packed = false;
    for (int row = 0; row < head.queries(); row += QUERIES) {
      int rows = Math.min(QUERIES, head.queries() - row);
      if (head.low(row) >= end || head.high(row + rows - 1) <= first) {
        continue;
      }
      if (!packed) {
        head.packTurned(scratch, k, first, end, keyPanels);
        head.packTurned(scratch, v, first, end, valuePanels);
        head.packRows(scratch, k, head.keyAt(), first, end, keyRows);
        packed = true;
      }
      tile(row, rows, first, end);
    }
  }

  /// One tile of queries and keys.
  private void tile(int row, int rows, int first, int end) {
    int groups = CpuOps.parts(rows, ROWS);
    int size = head.size();
    int floats = Packing.leftFloats(ROWS, size) + L;
    float[][] leftQ = scratch.rows(LEFT_QUERIES, groups, floats);
    float[][] leftDy = scratch.rows(LEFT_GRADIENTS, groups, floats);
    for (int g = 0; g < groups; g++) {
      int some = Math.min(ROWS, rows - g * ROWS);
      head.packLeft(scratch, q, row + g * ROWS, some, leftQ[g]);
      head.packLeft(scratch, dy, row + g * ROWS, some, leftDy[g]);
      int whole = CpuOps.parts((long) ROWS * size, L) * L;
      FlashScores.scale(leftQ[g], 0, whole, head.scale2());
    }
    head.packRows(scratch, q, head.queryAt(), row, row + rows, queryRows);
    head.packRows(scratch, dy, head.queryAt(), row, row + rows, gradientRows);
    for (int g = 0; g < groups; g++) {
      int from = g * ROWS;
      group(leftQ[g], leftDy[g], from, row + from, Math.min(ROWS, rows - from), first, end);
    }
    for (int j = 0; j < end - first; j += ROWS) {
      // Queries before the first that sees one of these keys add nothing.
      int skip = 0;
      while (skip < rows && head.high(row + skip) <= first + j) {
        skip++;
      }
      if (skip < rows) {
        columns(scores, gradientRows, dv, j, skip, rows);
        columns(gradients, queryRows, dk, j, skip, rows);
      }
    }
  }

  /// Weights and gradients of scores of one group of rows, and from them the gradients of queries.
  private void group(
      float[] leftQ, float[] leftDy, int place, int row, int rows, int first, int end) {
    for (int i = 0; i < ROWS; i++) {
      int query = row + Math.min(i, rows - 1);
      low[i] = head.low(query);
      high[i] = head.high(query);
    }
    int n = Math.clamp((long) high[ROWS - 1] - first, 0, end - first);
    int at = place * STRIDE;
    int whole = CpuOps.parts(end - first, L) * L;
    long panelBytes = (long) head.size() * WIDTH * Float.BYTES;
    for (int j = 0; j < n; j += WIDTH) {
      MemorySegment keyPanel = keyPanels.asSlice(j / WIDTH * panelBytes, panelBytes);
      MemorySegment valuePanel = valuePanels.asSlice(j / WIDTH * panelBytes, panelBytes);
      PackedTile.multiply(ROWS, head.size(), leftQ, keyPanel, scores, at + j, STRIDE);
      PackedTile.multiply(ROWS, head.size(), leftDy, valuePanel, gradients, at + j, STRIDE);
    }
    int seen = CpuOps.parts(n, L) * L;
    float scale = head.spec().scale();
    if (head.spec().dropout() > 0) {
      float[] factors = scratch.floats(FACTORS, ROWS * STRIDE);
      head.dropout(scratch, factors, row, rows, first, n);
      FlashScores.droppedGradients(scores, gradients, at, factors, seen, lse2, delta, row, scale);
    } else {
      FlashScores.gradients(scores, gradients, at, seen, lse2, delta, row, scale);
    }
    if (low[ROWS - 1] > first || high[0] < first + whole) {
      FlashScores.outside(scores, at, whole, first, low, high, 0);
      FlashScores.outside(gradients, at, whole, first, low, high, 0);
    }
    long rowBytes = (long) WIDTH * Float.BYTES;
    for (int c = 0; n > 0 && c < padded; c += WIDTH) {
      long from = (long) c / WIDTH * (end - first) * rowBytes;
      MemorySegment panel = keyRows.asSlice(from, n * rowBytes);
      ScoreTile.rows(n, gradients, at, panel, dq, row * padded + c, padded);
    }
  }

  /// `out[j + ...] += x^T rows` for one group of keys, from query `skip` of the tile on.
  private void columns(float[] x, MemorySegment panels, float[] out, int j, int skip, int rows) {
    long rowBytes = (long) WIDTH * Float.BYTES;
    int depth = rows - skip;
    for (int c = 0; c < padded; c += WIDTH) {
      long from = ((long) c / WIDTH * rows + skip) * rowBytes;
      MemorySegment panel = panels.asSlice(from, depth * rowBytes);
      ScoreTile.columns(depth, x, skip * STRIDE + j, panel, out, j * padded + c, padded);
    }
  }

  private void write(
      Kernels kernels, MemorySegment to, Sink.Mode mode, long at, float[] from, int rows) {
    if (mode == Sink.Mode.SET) {
      head.store(to, at, from, 0, rows);
      return;
    }
    MemorySegment line = scratch.panel(QUERY_ROWS, head.size());
    for (int i = 0; i < rows; i++) {
      Native.store(line, 0, from, i * padded, head.size());
      long target = at + (long) i * head.size();
      kernels.axpy(scratch, to, target, mode, 1, line, 0, head.size());
    }
  }
}
