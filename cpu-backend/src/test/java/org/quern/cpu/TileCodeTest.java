package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The routines by themselves, as far as this machine has them.
class TileCodeTest {
  private static final int WIDTH = TileCode.WIDTH;

  private static List<TileCode> here() {
    return Stream.of(TileCode.values())
        .filter(c -> Tiles.here().contains(TileChoice.Setting.valueOf(c.name())))
        .toList();
  }

  /// `[rows][32]`, of rows `[depth]` and a panel `[depth][32]`; numbers behind the operands are
  /// NaN, and behind the results they stay.
  private static float[] product(TileCode code, float[] x, float[] w, int rows, int depth) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment packed = arena.allocate(code.packedBytes(rows, depth) + 64, 64);
      for (long i = 0; i < packed.byteSize(); i += Short.BYTES) {
        packed.set(Native.SHORT, i, (short) 0x7FC0);
      }
      MemorySegment panel = arena.allocate(HalfTile.bytes(depth), 64);
      HalfTile.encode(w, depth, panel);
      long stride = (depth + 3L) * Float.BYTES;
      MemorySegment from = arena.allocate((rows - 1) * stride + (long) depth * Float.BYTES);
      for (int i = 0; i < rows; i++) {
        if (i > 0) {
          Native.store(from, i * (depth + 3L) - 3, new float[] {1e9f, Float.NaN, 1e9f}, 0, 3);
        }
        Native.store(from, i * (depth + 3L), x, i * depth, depth);
      }
      code.pack(from, stride, rows, depth, packed);
      assertEquals((short) 0x7FC0, packed.get(Native.SHORT, packed.byteSize() - 64), "beyond");
      int groups = code.groups(rows) * code.rows() * WIDTH;
      float[] c = new float[groups + 16];
      Arrays.fill(c, -7);
      code.multiply(packed, panel, rows, depth, c);
      for (int i = groups; i < c.length; i++) {
        assertEquals(-7, c[i], "beyond");
      }
      return Arrays.copyOf(c, rows * WIDTH);
    }
  }

  private static float rounded(float x) {
    return Storage.fromBfloat16(Storage.toBfloat16(x));
  }

  private static float[] normal(Random random, int count) {
    float[] out = new float[count];
    for (int i = 0; i < count; i++) {
      out[i] = (float) random.nextGaussian();
    }
    return out;
  }

  @Test
  void productsAreThoseOfRoundedNumbers() {
    for (TileCode code : here()) {
      for (int depth : new int[] {1, 2, 3, 31, 32, 33, 63, 64, 65, 100, 771}) {
        Random random = new Random(depth);
        float[] w = normal(random, depth * WIDTH);
        float[] x = normal(random, 40 * depth);
        float[] alone = product(code, x, w, 1, depth);
        for (int rows = 1; rows <= 40; rows++) {
          float[] c = product(code, x, w, rows, depth);
          check(c, x, w, depth, code + " " + rows + " x " + depth);
          assertArrayEquals(alone, Arrays.copyOf(c, WIDTH), "a row depends on others");
        }
      }
    }
  }

  private static void check(float[] c, float[] x, float[] w, int depth, String what) {
    for (int i = 0; i < c.length; i++) {
      double sum = 0;
      double size = 0;
      for (int k = 0; k < depth; k++) {
        double a = rounded(x[i / WIDTH * depth + k]);
        double term = a * rounded(w[k * WIDTH + i % WIDTH]);
        sum += term;
        size += Math.abs(term);
      }
      assertEquals(sum, c[i], depth * 0x1p-24 * size, what);
    }
  }

  /// Rounding is that of [Storage], but for denormals: zero, of the same sign.
  @Test
  void packedRowsAreRoundedToNearestEven() {
    float[] x = {
      0f,
      -0f,
      1f,
      1 + 0x1p-8f,
      1 + 3 * 0x1p-8f,
      1 + 0x1p-8f + 0x1p-23f,
      -1 - 0x1p-8f,
      Float.MAX_VALUE,
      -Float.MAX_VALUE,
      0x1.fep127f,
      Float.POSITIVE_INFINITY,
      Float.NEGATIVE_INFINITY,
      Float.NaN,
      Float.intBitsToFloat(0x7F800001),
      Float.intBitsToFloat(0xFFC12345),
      Float.MIN_NORMAL,
      -Float.MIN_NORMAL,
      Float.MIN_VALUE,
      -Float.MIN_VALUE,
      Float.intBitsToFloat(0x007FFFFF)
    };
    for (TileCode code : here()) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment packed = arena.allocate(code.packedBytes(1, x.length), 64);
        MemorySegment from = arena.allocateFrom(Native.FLOAT, x);
        code.pack(from, from.byteSize(), 1, x.length, packed);
        for (int i = 0; i < 32; i++) {
          short found = packed.get(Native.SHORT, (long) i * Short.BYTES);
          float v = i < x.length ? x[i] : 0;
          boolean denormal = v != 0 && Math.abs(v) < Float.MIN_NORMAL;
          short want = Storage.toBfloat16(denormal ? Math.copySign(0, v) : v);
          assertEquals(want, found, code + ": " + v);
        }
      }
    }
  }

  @Test
  void whatIsNoNumberPropagatesAndZerosKeepTheirRow() {
    for (TileCode code : here()) {
      int depth = 37;
      int rows = 14;
      float[] w = new float[depth * WIDTH];
      Arrays.fill(w, 1);
      w[36 * WIDTH + 5] = Float.NaN;
      w[3 * WIDTH + 6] = Float.POSITIVE_INFINITY;
      float[] x = new float[rows * depth];
      Arrays.fill(x, 1);
      x[2 * depth + 36] = Float.NaN;
      x[3 * depth + 1] = Float.NEGATIVE_INFINITY;
      x[13 * depth] = Float.MAX_VALUE; // rounds to infinity
      float[] c = product(code, x, w, rows, depth);
      for (int i = 0; i < rows; i++) {
        for (int j = 0; j < WIDTH; j++) {
          float a = i == 2 ? Float.NaN : i == 3 ? -1 / 0f : i == 13 ? 1 / 0f : depth;
          float b = j == 5 ? Float.NaN : j == 6 ? 1 / 0f : 0;
          assertEquals(a + b, c[i * WIDTH + j], code + " " + i + " " + j);
        }
      }
    }
  }

  /// Products that are denormal are zero; so are factors.
  @Test
  void denormalsCountAsZero() {
    for (TileCode code : here()) {
      float[] w = new float[3 * WIDTH];
      Arrays.fill(w, 0x1p-70f);
      Arrays.fill(w, 2 * WIDTH, 3 * WIDTH, 0x1p-130f);
      for (float found : product(code, new float[] {0x1p-70f, 0x1p-130f, 1}, w, 1, 3)) {
        assertEquals(0, found, code + "");
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void memoryThatIsTooSmallIsRefusedBeforeTheCall(TileCode code) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment few = arena.allocate(1024, 64);
      MemorySegment many = arena.allocate(1 << 20, 64);
      float[] c = new float[64 * WIDTH];
      assertThrows(IndexOutOfBoundsException.class, () -> code.pack(few, 400, 5, 100, many));
      assertThrows(IndexOutOfBoundsException.class, () -> code.pack(many, 400, 5, 100, few));
      assertThrows(IndexOutOfBoundsException.class, () -> code.pack(many, 400, 0, 100, many));
      assertThrows(IndexOutOfBoundsException.class, () -> code.multiply(few, many, 5, 100, c));
      assertThrows(IndexOutOfBoundsException.class, () -> code.multiply(many, few, 5, 100, c));
      assertThrows(IndexOutOfBoundsException.class, () -> code.multiply(many, many, 65, 10, c));
      assertThrows(IndexOutOfBoundsException.class, () -> code.multiply(many, many, 5, 0, c));
    }
  }

  @Test
  void theSelfTestPassesWhereTheCodeIsTaken() {
    for (TileCode code : here()) {
      assertTrue(TileSelfTest.run(code).isEmpty());
    }
  }
}
