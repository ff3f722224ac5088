package org.quern.cpu;

import java.lang.foreign.MemorySegment;
import org.quern.core.Sink;

/// A product with a weight in bfloat16 by machine code: rows of the left operand are rounded too,
/// sums are f32. The loops are those of [Gemm], over the whole depth at once, so that a row of the
/// result depends on nothing but its row of the left operand.
final class HalfGemm {
  private static final int WIDTH = TileCode.WIDTH;

  /// The most bytes of packed rows: half a second-level cache of 1 MiB.
  private static final int LEFT = 1 << 19;

  /// The least columns of a task: several panels, so that packing its rows pays.
  private static final int LEAST_COLUMNS = 4 * WIDTH;

  /// The packed rows among the panels of a scratch.
  private static final int PACKED = 0;

  /// The results of a panel among the arrays of a scratch, behind those of [Packing].
  private static final int TILE = 2;

  private HalfGemm() {}

  /// Computes all of c.
  ///
  /// @param pool divides the work; how, does not show in the result
  /// @param g the product, its left operand not transposed
  /// @param panels the right operand in BF16, whole
  static void run(WorkerPool pool, Kernels kernels, TileCode code, Gemm g, Panels panels) {
    int most = Math.max(1, (int) (LEFT / code.packedBytes(1, g.k()))) * code.rows();
    int down = CpuOps.parts(g.m(), most);
    int rows = code.groups(CpuOps.parts(g.m(), down)) * code.rows();
    int wanted = 3 * pool.threads();
    int across = Math.clamp(CpuOps.parts(wanted, down), 1, CpuOps.parts(g.n(), LEAST_COLUMNS));
    int columns = CpuOps.parts(CpuOps.parts(g.n(), across), WIDTH) * WIDTH;
    int acrossParts = CpuOps.parts(g.n(), columns);
    pool.run(
        CpuOps.parts(g.m(), rows) * acrossParts,
        2L * g.m() * g.n() * g.k(),
        (scratch, task) -> {
          int row = task / acrossParts * rows;
          int column = task % acrossParts * columns;
          int rowEnd = Math.min(g.m(), row + rows);
          int columnEnd = Math.min(g.n(), column + columns);
          block(kernels, code, scratch, g, panels, row, rowEnd, column, columnEnd);
        });
  }

  private static void block(
      Kernels kernels,
      TileCode code,
      Scratch scratch,
      Gemm g,
      Panels panels,
      int row,
      int rowEnd,
      int column,
      int columnEnd) {
    int count = rowEnd - row;
    long stride = (long) g.k() * Float.BYTES;
    MemorySegment packed = scratch.panel(PACKED, code.packedBytes(count, g.k()) / Float.BYTES);
    MemorySegment left = g.a().asSlice(g.aAt() * Float.BYTES + row * stride, count * stride);
    code.pack(left, stride, count, g.k(), packed);
    float[] tile = scratch.floats(TILE, code.groups(count) * code.rows() * WIDTH);
    for (int j = column; j < columnEnd; j += WIDTH) {
      code.multiply(packed, panels.at(j, 0, g.k()), count, g.k(), tile);
      g.merge(tile, row, count, j, g.mode() == Sink.Mode.SET);
    }
    g.activate(kernels, scratch, row, rowEnd, column, columnEnd);
  }
}
