package org.quern.cpu;

import static org.quern.cpu.CpuBuffer.floats;
import static org.quern.cpu.CpuBuffer.floatsOrNull;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.VectorShape;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.MatmulDims;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// The operations with the Vector API. Loaded only where its module is there.
final class VectorOps extends CpuOps {
  private static final int WIDTH = PackedTile.WIDTH;

  /// The most floats of b that are packed at once: 16 MiB.
  private static final long PACKED = 1 << 22;

  /// Up to so many rows of x, rows of an unprepared w are read once and not packed.
  private static final int THIN = 4;

  /// The least columns of a task: several panels, so that packing its rows pays.
  private static final int LEAST_COLUMNS = 4 * WIDTH;

  /// The panels of b in the scratch of the caller, or of the thread where each packs its own.
  private static final int PANELS = 0;

  /// For products with weights in BF16, or null for the Vector API.
  private final @Nullable TileCode tiles;

  /// Makes the operations.
  ///
  /// @param tiles for products with weights in BF16, or null for the Vector API
  VectorOps(WorkerPool pool, @Nullable TileCode tiles) {
    super(pool, new VectorKernels());
    this.tiles = tiles;
  }

  /// {@return the most bits of a vector that this processor has instructions for; anything wider is
  /// emulated, a hundred times slower}
  static int widest() {
    return VectorShape.preferredShape().vectorBitSize();
  }

  /// {@return the width of a vector, for the diagnostics table}
  static String describe() {
    int widest = widest();
    return Lanes.BITS == widest
        ? widest + "-bit"
        : "%d-bit, of %d that the processor has".formatted(Lanes.BITS, widest);
  }

  // --- matrix products ---

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
    long each = (long) dims.m() * dims.n();
    int batch = Math.toIntExact(dims.batch());
    if (batch > 1 && Packing.panelFloats(dims.n(), dims.k()) <= PACKED) {
      pool.run(
          batch,
          dims.flops(),
          (scratch, item) ->
              alone(
                  scratch,
                  gemm(dims, c, item * each, mode, a, (long) item * dims.m() * dims.k(), ta, alpha),
                  new Right(b, (long) item * dims.k() * dims.n(), tb)));
      return;
    }
    for (int item = 0; item < batch; item++) {
      Gemm g = gemm(dims, c, item * each, mode, a, (long) item * dims.m() * dims.k(), ta, alpha);
      Right right = new Right(b, (long) item * dims.k() * dims.n(), tb);
      if (g.m() <= THIN && ta == Trans.N && tb == Trans.T) {
        RowDots.product(pool, g, b, right.at());
      } else {
        together(g, right);
      }
    }
  }

  private static Gemm gemm(
      MatmulDims dims,
      MemorySegment c,
      long cAt,
      Sink.Mode mode,
      MemorySegment a,
      long aAt,
      Trans ta,
      float alpha) {
    return new Gemm(
        dims.m(), dims.n(), dims.k(), c, cAt, mode, a, aAt, ta, alpha, null, null, Activation.NONE);
  }

  /// The right operand as a tensor.
  private record Right(MemorySegment b, long at, Trans trans) {
    /// Packs one panel of a slab.
    void pack(Scratch scratch, Gemm g, Panels slab, int panel) {
      int column = slab.column() + panel * WIDTH;
      int columns = Math.min(WIDTH, g.n() - column);
      int block = Gemm.depthBlock(g.k());
      int stride = trans == Trans.N ? g.n() : g.k();
      int end = slab.first() + slab.depth();
      for (int k0 = slab.first(); k0 < end; k0 += block) {
        int depth = Math.min(block, end - k0);
        MemorySegment to = slab.at(column, k0, depth);
        Packing.right(scratch, b, at, trans, stride, column, columns, k0, depth, to);
      }
    }
  }

  /// One product by one thread.
  private void alone(Scratch scratch, Gemm g, Right right) {
    MemorySegment memory = scratch.panel(PANELS, Packing.panelFloats(g.n(), g.k()));
    Panels panels = new Panels(memory, Precision.F32, 0, g.n(), 0, g.k());
    for (int i = 0; i < parts(g.n(), WIDTH); i++) {
      right.pack(scratch, g, panels, i);
    }
    int rows = Gemm.rowBlock(g.k());
    for (int row = 0; row < g.m(); row += rows) {
      g.block(kernels, scratch, panels, row, Math.min(g.m(), row + rows), 0, g.n());
    }
  }

  /// One product by all threads, slab by slab of b so that what is packed stays bounded.
  private void together(Gemm g, Right right) {
    int block = Gemm.depthBlock(g.k());
    int padded = parts(g.n(), WIDTH) * WIDTH;
    int most = Math.toIntExact(PACKED / block); // columns, where a slab has one block of the depth
    int columns = Math.min(padded, Math.max(WIDTH, most / WIDTH * WIDTH));
    int depth = Math.max(1, most / columns) * block;
    Scratch mine = pool.borrow();
    try {
      MemorySegment memory =
          mine.panel(PANELS, Packing.panelFloats(columns, Math.min(depth, g.k())));
      for (int column = 0; column < g.n(); column += columns) {
        int width = Math.min(columns, g.n() - column);
        for (int k0 = 0; k0 < g.k(); k0 += depth) {
          Panels slab =
              new Panels(memory, Precision.F32, column, width, k0, Math.min(depth, g.k() - k0));
          pool.run(
              parts(width, WIDTH),
              4L * width * slab.depth(),
              (scratch, panel) -> right.pack(scratch, g, slab, panel));
          multiply(g, slab);
        }
      }
    } finally {
      pool.giveBack(mine);
    }
  }

  /// Divides c among the threads. How, does not show in the result.
  private void multiply(Gemm g, Panels panels) {
    int blocks = parts(g.m(), Gemm.rowBlock(g.k()));
    int wanted = 3 * pool.threads();
    int least = parts(g.m(), panels.leastRows());
    int down = Math.max(blocks, Math.min(wanted, least));
    if (down > 1 && down % pool.threads() != 0) {
      down = Math.min(Math.max(blocks, least), parts(down, pool.threads()) * pool.threads());
    }
    int rows = parts(parts(g.m(), down), PackedTile.ROWS) * PackedTile.ROWS;
    int across = Math.clamp(parts(wanted, down), 1, parts(panels.columns(), LEAST_COLUMNS));
    int columns = parts(parts(panels.columns(), across), WIDTH) * WIDTH;
    int acrossParts = parts(panels.columns(), columns);
    int downParts = parts(g.m(), rows);
    pool.run(
        downParts * acrossParts,
        2L * g.m() * panels.columns() * panels.depth(),
        (scratch, task) -> {
          int row = task / acrossParts * rows;
          int column = panels.column() + task % acrossParts * columns;
          int columnEnd = Math.min(panels.column() + panels.columns(), column + columns);
          g.block(kernels, scratch, panels, row, Math.min(g.m(), row + rows), column, columnEnd);
        });
  }

  // --- linear ---

  @Override
  public void linear(Tensor y, Tensor h, Tensor x, Tensor w, @Nullable Tensor bias, Activation f) {
    MatmulDims dims = MatmulDims.of(h.shape(), x.shape(), Trans.N, w.shape(), Trans.T);
    boolean after = f != Activation.NONE || !y.equals(h);
    Gemm g =
        new Gemm(
            dims.m(),
            dims.n(),
            dims.k(),
            floats(h),
            0,
            Sink.Mode.SET,
            floats(x),
            0,
            Trans.N,
            1,
            floatsOrNull(bias),
            after ? floats(y) : null,
            f);
    PreparedBuffer prepared = PreparedBuffer.orNull(w);
    if (prepared != null) {
      Panels panels = new Panels(prepared.prepared(), prepared.precision(), 0, g.n(), 0, g.k());
      if (tiles != null && prepared.precision() == Precision.BF16) {
        HalfGemm.run(pool, kernels, tiles, g, panels);
      } else {
        multiply(g, panels);
      }
    } else if (g.m() <= THIN) {
      RowDots.product(pool, g, floats(w), 0);
      if (after) {
        biasActivation(y, h, null, f);
      }
    } else {
      together(g, new Right(floats(w), 0, Trans.T));
    }
  }

  /// Packs a weight once and for all.
  @Override
  Tensor prepare(Tensor weight, Precision precision, Scope owner) {
    int n = rows(weight);
    int k = width(weight);
    int count = parts(n, WIDTH);
    long bytes = count * Panels.bytes(precision, k);
    Tensor memory = owner.allocate(DType.F32, Shape.of(bytes / Float.BYTES));
    MemorySegment target = floats(memory);
    Panels panels = new Panels(target, precision, 0, n, 0, k);
    MemorySegment rows = floats(weight);
    pool.run(
        count,
        4L * n * k,
        (scratch, panel) -> {
          int column = panel * WIDTH;
          int columns = Math.min(WIDTH, n - column);
          if (precision == Precision.F32) {
            Packing.weight(scratch, rows, column, columns, k, panels.at(column, 0, k));
          } else {
            MemorySegment one = scratch.panel(PANELS, Packing.panelFloats(WIDTH, k));
            Packing.weight(scratch, rows, column, columns, k, one);
            float[] numbers = new float[k * WIDTH];
            Native.load(numbers, 0, one, 0, numbers.length);
            panels.encode(panel, numbers);
          }
        });
    return new PreparedBuffer(weight, target, precision).tensor();
  }

  // --- attention ---

  @Override
  public void attention(
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    int[] places = CpuBuffer.ints(positions);
    if (RowAttention.fits(q, spec)) {
      RowAttention.run(pool, y, lse, q, k, v, spec, places);
    } else {
      FlashForward.run(pool, y, lse, q, k, v, spec, places);
    }
  }

  @Override
  public void attentionBackward(
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
      Tensor positions,
      Scope scratch) {
    int[] places = CpuBuffer.ints(positions);
    FlashBackward.run(this, dq, dk, dv, dy, y, lse, q, k, v, spec, places);
  }
}
