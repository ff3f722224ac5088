package org.quern.cpu;

import static org.quern.cpu.CpuBuffer.floats;
import static org.quern.cpu.CpuBuffer.floatsOrNull;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Rows of tables, gathered and scattered.
final class Embedding {
  private Embedding() {}

  static void forward(
      CpuOps ops, Tensor y, int[] ids, Tensor wte, @Nullable Tensor wpe, int[] positions) {
    MemorySegment to = floats(y);
    MemorySegment tokens = floats(wte);
    MemorySegment places = floatsOrNull(wpe);
    int width = CpuOps.width(y);
    int last = wpe == null ? 0 : CpuOps.rows(wpe) - 1;
    int each = ids.length / positions.length;
    ops.eachRow(
        ids.length,
        width,
        1,
        (s, row) -> {
          long at = (long) row * width;
          long token = (long) ids[row] * width;
          if (places == null) {
            Native.copy(to, at, tokens, token, width);
          } else {
            long place = (long) place(positions, each, row, last) * width;
            ops.kernels.add(s, to, at, tokens, token, places, place, width);
          }
        });
  }

  private static int place(int[] positions, int each, int row, int last) {
    return Math.clamp((long) positions[row / each] + row % each, 0, last);
  }

  static void backward(
      CpuOps ops, Sink dwte, @Nullable Sink dwpe, Tensor dy, int[] ids, int[] positions) {
    scatter(ops, dwte, dy, ids);
    if (dwpe != null) {
      int last = CpuOps.rows(dwpe.tensor()) - 1;
      int each = ids.length / positions.length;
      int[] places = new int[ids.length];
      for (int row = 0; row < places.length; row++) {
        places[row] = place(positions, each, row, last);
      }
      scatter(ops, dwpe, dy, places);
    }
  }

  /// `table[targets[n]] += x[n]`. Each row of the table gathers its own addends, in order, so that
  /// the result does not depend on the threads.
  private static void scatter(CpuOps ops, Sink table, Tensor x, int[] targets) {
    MemorySegment to = floats(table.tensor());
    MemorySegment from = floats(x);
    int width = CpuOps.width(x);
    int rows = CpuOps.rows(table.tensor());
    int[] starts = new int[rows + 1];
    int[] order = sortByTarget(targets, starts);
    int perRow = Math.max(1, targets.length / rows);
    int each = Math.max(1, CpuOps.CHUNK / width / perRow);
    ops.pool.run(
        CpuOps.parts(rows, each),
        (long) Math.max(rows, targets.length) * width,
        (s, task) -> {
          for (int row = task * each; row < Math.min(rows, (task + 1) * each); row++) {
            long at = (long) row * width;
            int i = starts[row];
            if (table.mode() == Sink.Mode.SET && i == starts[row + 1]) {
              ops.kernels.fill(to, at, width, 0);
            } else if (table.mode() == Sink.Mode.SET) {
              Native.copy(to, at, from, (long) order[i++] * width, width);
            }
            for (; i < starts[row + 1]; i++) {
              long source = (long) order[i] * width;
              ops.kernels.axpy(s, to, at, Sink.Mode.ADD, 1, from, source, width);
            }
          }
        });
  }

  /// Sorts the indices of `targets` by target, stably; those of target t go to `starts[t]` to
  /// `starts[t + 1]`.
  private static int[] sortByTarget(int[] targets, int[] starts) {
    for (int t : targets) {
      starts[t + 1]++;
    }
    for (int t = 1; t < starts.length; t++) {
      starts[t] += starts[t - 1];
    }
    int[] next = starts.clone();
    int[] order = new int[targets.length];
    for (int n = 0; n < targets.length; n++) {
      order[next[targets[n]]++] = n;
    }
    return order;
  }
}
