package org.quern.cpu;

import static org.quern.cpu.CpuBuffer.floats;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.quern.core.AttentionSpec;
import org.quern.core.Tensor;

/// Attention without the S x T matrix (arXiv:2205.14135, arXiv:2307.08691): a block of keys at a
/// time, groups of rows by groups of rows, with a running maximum and sum. One object is the work
/// of one thread on some queries of one head.
///
/// A row is rescaled only when its maximum grows by more than [#SLACK]: results are the same up to
/// rounding, since the sum is kept relative to the same maximum.
final class FlashForward {
  private static final int ROWS = PackedTile.ROWS;
  private static final int WIDTH = PackedTile.WIDTH;
  private static final int STRIDE = ScoreTile.STRIDE;
  private static final int L = Lanes.COUNT;

  /// Queries that share a block of keys in the cache.
  private static final int QUERIES = 8 * ROWS;

  /// Tasks to make where there are fewer heads.
  private static final int TASKS = 32;

  /// In units of log2: weights stay below 2^8.
  private static final float SLACK = 8;

  // The memory of a scratch, apart from that of Packing.
  private static final int TURNED_KEYS = 2;
  private static final int VALUES = 3;
  private static final int LEFT_PANELS = 1;
  private static final int SCORES = 2;
  private static final int RESULT = 3;
  private static final int MAXIMA = 4;
  private static final int SUMS = 5;
  private static final int SMALL = 6;
  private static final int FACTORS = 7;

  private final FlashHead head;
  private final Scratch scratch;
  private final MemorySegment keyPanels;
  private final MemorySegment valuePanels;
  private final int firstKey;
  private final int packedKeys;
  private final int padded;
  private final float[] scores;
  private final float[] result;
  private final float[] maxima;
  private final float[] base;
  private final float[] sums;
  private final float[] found;
  private final int[] low = new int[ROWS];
  private final int[] high = new int[ROWS];

  private FlashForward(
      FlashHead head, Scratch scratch, MemorySegment k, MemorySegment v, int firstKey, int endKey) {
    this.head = head;
    this.scratch = scratch;
    this.firstKey = firstKey;
    this.packedKeys = endKey - firstKey;
    this.padded = head.padded();
    int columns = CpuOps.parts(packedKeys, WIDTH) * WIDTH;
    keyPanels = scratch.panel(TURNED_KEYS, (long) columns * head.size());
    valuePanels = scratch.panel(VALUES, (long) packedKeys * padded);
    head.packTurned(scratch, k, firstKey, endKey, keyPanels);
    head.packRows(scratch, v, head.keyAt(), firstKey, endKey, valuePanels);
    scores = scratch.floats(SCORES, ROWS * STRIDE);
    result = scratch.floats(RESULT, QUERIES * padded);
    maxima = scratch.floats(MAXIMA, QUERIES);
    sums = scratch.floats(SUMS, QUERIES * L);
    float[] small = scratch.floats(SMALL, 2 * ROWS);
    found = small;
    base = scratch.floats(SMALL + 2, QUERIES);
  }

  /// [org.quern.core.Ops#attention].
  static void run(
      WorkerPool pool,
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      int[] positions) {
    MemorySegment to = floats(y);
    MemorySegment lses = floats(lse);
    MemorySegment from = floats(q);
    MemorySegment keys = floats(k);
    MemorySegment values = floats(v);
    int heads = Math.multiplyExact(q.shape().intDim(0), q.shape().intDim(1));
    int queries = q.shape().intDim(2);
    int parts = Math.min(CpuOps.parts(TASKS, heads), CpuOps.parts(queries, QUERIES));
    int each = CpuOps.parts(CpuOps.parts(queries, parts), QUERIES) * QUERIES;
    int chunks = CpuOps.parts(queries, each);
    pool.run(
        heads * chunks,
        2 * q.elements() * k.shape().dim(2),
        (scratch, task) -> {
          FlashHead head = FlashHead.of(q, k, spec, positions, task / chunks);
          int first = task % chunks * each;
          int end = Math.min(queries, first + each);
          int low = head.low(first) / WIDTH * WIDTH;
          int high = head.high(end - 1);
          if (low >= high) {
            nothingSeen(head, to, lses, first, end);
          } else {
            new FlashForward(head, scratch, keys, values, low, high)
                .queries(from, to, lses, first, end);
          }
        });
  }

  private static void nothingSeen(
      FlashHead head, MemorySegment y, MemorySegment lse, int first, int end) {
    for (int row = first; row < end; row++) {
      long at = head.queryAt() + (long) row * head.size();
      y.asSlice(at * Float.BYTES, (long) head.size() * Float.BYTES).fill((byte) 0);
      Native.set(lse, head.index() * head.queries() + row, Float.POSITIVE_INFINITY);
    }
  }

  private void queries(MemorySegment q, MemorySegment y, MemorySegment lse, int first, int end) {
    for (int row = first; row < end; row += QUERIES) {
      int rows = Math.min(QUERIES, end - row);
      int groups = CpuOps.parts(rows, ROWS);
      float[][] left = scratch.rows(LEFT_PANELS, groups, Packing.leftFloats(ROWS, head.size()) + L);
      for (int g = 0; g < groups; g++) {
        int some = Math.min(ROWS, rows - g * ROWS);
        head.packLeft(scratch, q, row + g * ROWS, some, left[g]);
        int whole = CpuOps.parts((long) ROWS * head.size(), L) * L;
        FlashScores.scale(left[g], 0, whole, head.scale2());
      }
      Arrays.fill(result, 0, groups * ROWS * padded, 0);
      Arrays.fill(maxima, 0, groups * ROWS, FlashScores.HIDDEN);
      Arrays.fill(sums, 0, groups * ROWS * L, 0);
      int low = head.low(row);
      int high = head.high(row + rows - 1);
      for (int j = low / ScoreTile.KEYS * ScoreTile.KEYS; j < high; j += ScoreTile.KEYS) {
        for (int g = 0; g < groups; g++) {
          group(left[g], g, row + g * ROWS, Math.min(ROWS, rows - g * ROWS), j);
        }
      }
      finish(y, lse, row, rows);
    }
  }

  /// One group of rows and the keys of one block that any of them sees.
  private void group(float[] left, int g, int row, int rows, int block) {
    for (int i = 0; i < ROWS; i++) {
      int query = row + Math.min(i, rows - 1);
      low[i] = head.low(query);
      high[i] = head.high(query);
    }
    int from = Math.max(block, low[0] / WIDTH * WIDTH);
    int end = Math.min(block + ScoreTile.KEYS, high[ROWS - 1]);
    int n = end - from;
    if (n <= 0) {
      return;
    }
    int size = head.size();
    long panelBytes = (long) size * WIDTH * Float.BYTES;
    for (int j = 0; j < n; j += WIDTH) {
      long at = (from - firstKey + j) / WIDTH * panelBytes;
      MemorySegment panel = keyPanels.asSlice(at, panelBytes);
      PackedTile.multiply(ROWS, size, left, panel, scores, j, STRIDE);
    }
    int whole = CpuOps.parts(n, L) * L;
    boolean masked = low[ROWS - 1] > from || high[0] < from + whole;
    if (masked) {
      FlashScores.outside(scores, 0, whole, from, low, high, FlashScores.HIDDEN);
    }
    FlashScores.max(scores, whole, found);
    int first = g * ROWS;
    raise(first);
    FlashScores.exponentials(scores, whole, base, first, sums);
    if (masked) {
      FlashScores.outside(scores, 0, whole, from, low, high, 0);
    }
    if (head.spec().dropout() > 0) {
      float[] factors = scratch.floats(FACTORS, ROWS * STRIDE);
      head.dropout(scratch, factors, row, rows, from, n);
      FlashScores.multiply(scores, factors, whole);
    }
    long rowBytes = (long) WIDTH * Float.BYTES;
    for (int c = 0; c < padded; c += WIDTH) {
      long at = ((long) c / WIDTH * packedKeys + from - firstKey) * rowBytes;
      MemorySegment panel = valuePanels.asSlice(at, n * rowBytes);
      ScoreTile.rows(n, scores, 0, panel, result, first * padded + c, padded);
    }
  }

  /// Takes the maxima of a block into account.
  private void raise(int first) {
    for (int i = 0; i < ROWS; i++) {
      int row = first + i;
      float old = maxima[row];
      float now = found[i];
      if (old == FlashScores.HIDDEN) {
        // Nothing seen so far; what hidden keys have left in the sums is not worth keeping.
        Arrays.fill(sums, row * L, (row + 1) * L, 0);
        maxima[row] = now;
      } else if (now > old + SLACK) {
        float factor = (float) Math.exp((old - now) / FlashHead.LOG2_E);
        FlashScores.scale(sums, row * L, L, factor);
        FlashScores.scale(result, row * padded, padded, factor);
        maxima[row] = now;
      }
      base[row] = maxima[row] == FlashScores.HIDDEN ? 0 : maxima[row];
    }
  }

  private void finish(MemorySegment y, MemorySegment lse, int row, int rows) {
    for (int i = 0; i < rows; i++) {
      float lseOf = Float.POSITIVE_INFINITY;
      float factor = 0;
      if (maxima[i] != FlashScores.HIDDEN) {
        double sum = Lanes.sumWide(sums, i * L);
        factor = (float) (1 / sum);
        lseOf = (float) (maxima[i] / FlashHead.LOG2_E + Math.log(sum));
      }
      FlashScores.scale(result, i * padded, padded, factor);
      Native.set(lse, head.index() * head.queries() + row + i, lseOf);
    }
    head.store(y, head.queryAt() + (long) row * head.size(), result, 0, rows);
  }
}
