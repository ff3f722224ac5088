package org.quern.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Optional;

/// Small products in machine code beside the same in plain Java, at the start of the process: what
/// a processor, a hypervisor or an emulator does wrong shows here, and not in somebody's text.
final class TileSelfTest {
  private static final int[] DEPTHS = {1, 2, 31, 33, 95};
  private static final int WIDTH = TileCode.WIDTH;

  private TileSelfTest() {}

  /// {@return what is wrong, or nothing}
  static Optional<String> run(TileCode code) {
    for (int depth : DEPTHS) {
      for (int rows : new int[] {1, code.rows(), code.rows() + 3}) {
        Optional<String> wrong = product(code, rows, depth);
        if (wrong.isPresent()) {
          return wrong;
        }
      }
    }
    return Optional.empty();
  }

  /// Numbers that bfloat16 rounds, in which sums of products are not exact either.
  private static float number(int i) {
    int mixed = i * 0x9E3779B9;
    return (mixed >> 8) * 0x1p-23f;
  }

  private static Optional<String> product(TileCode code, int rows, int depth) {
    float[] x = new float[rows * depth];
    for (int i = 0; i < x.length; i++) {
      x[i] = number(i);
    }
    float[] w = new float[depth * WIDTH];
    for (int i = 0; i < w.length; i++) {
      w[i] = number(i + x.length);
    }
    float[] c = new float[code.groups(rows) * code.rows() * WIDTH];
    Arrays.fill(c, Float.NaN);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment packed = arena.allocate(code.packedBytes(rows, depth), Machine.CACHE_LINE);
      MemorySegment panel = arena.allocate(HalfTile.bytes(depth), Machine.CACHE_LINE);
      HalfTile.encode(w, depth, panel);
      MemorySegment from = arena.allocateFrom(Native.FLOAT, x);
      code.pack(from, (long) depth * Float.BYTES, rows, depth, packed);
      code.multiply(packed, panel, rows, depth, c);
    }
    for (int i = 0; i < rows * WIDTH; i++) {
      double sum = 0;
      double size = 0;
      for (int k = 0; k < depth; k++) {
        double a = rounded(x[i / WIDTH * depth + k]);
        double term = a * rounded(w[k * WIDTH + i % WIDTH]);
        sum += term;
        size += Math.abs(term);
      }
      if (!(Math.abs(c[i] - sum) <= (depth + 2) * 0x1p-24 * size)) {
        return Optional.of(
            "the self-test of %s gave %s for %s, in a product of depth %d"
                .formatted(code, c[i], (float) sum, depth));
      }
    }
    return Optional.empty();
  }

  private static float rounded(float x) {
    return Storage.fromBfloat16(Storage.toBfloat16(x));
  }
}
