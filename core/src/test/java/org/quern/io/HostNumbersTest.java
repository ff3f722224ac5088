package org.quern.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigDecimal;
import java.nio.ByteOrder;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.quern.core.DType;

class HostNumbersTest {
  private static final ValueLayout.OfShort HALF =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static short write(DType dtype, float value) {
    MemorySegment memory = MemorySegment.ofArray(new byte[2]);
    HostNumbers.write(memory, dtype, new float[] {value}, 1);
    return memory.get(HALF, 0);
  }

  private static float read(DType dtype, int bits) {
    MemorySegment memory = MemorySegment.ofArray(new byte[3]);
    memory.set(HALF, 1, (short) bits);
    float[] out = new float[2];
    HostNumbers.read(out, 1, memory.asSlice(1), dtype, 0, 1);
    return out[1];
  }

  @Test
  void everyNarrowNumberSurvives() {
    for (DType dtype : new DType[] {DType.F16, DType.BF16}) {
      for (int bits = 0; bits < 1 << 16; bits++) {
        float value = read(dtype, bits);
        if (Float.isNaN(value)) {
          assertTrue(Float.isNaN(read(dtype, write(dtype, value))));
        } else {
          assertEquals((short) bits, write(dtype, value), "bits " + bits);
        }
      }
    }
  }

  /// The nearest of the two neighbours by exact arithmetic, the even one of two as near.
  @Test
  void bfloatRoundsToNearestEven() {
    Random random = new Random(3);
    for (int i = 0; i < 100_000; i++) {
      int bits = random.nextInt() & (i % 2 == 0 ? -1 : 0xFFFF8000); // half of them ties or exact
      float value = Float.intBitsToFloat(bits);
      float up = read(DType.BF16, (bits >>> 16) + 1);
      if (!Float.isFinite(value) || !Float.isFinite(up)) {
        continue;
      }
      float down = read(DType.BF16, bits >>> 16);
      BigDecimal toUp = new BigDecimal(up).subtract(new BigDecimal(value)).abs();
      BigDecimal toDown = new BigDecimal(value).subtract(new BigDecimal(down)).abs();
      int order = toUp.compareTo(toDown);
      boolean roundUp = order < 0 || (order == 0 && ((bits >>> 16) & 1) == 1);
      assertEquals((short) ((bits >>> 16) + (roundUp ? 1 : 0)), write(DType.BF16, value));
    }
  }

  @Test
  void overflowIsRefusedAndInfinityKept() {
    assertThrows(IllegalArgumentException.class, () -> write(DType.F16, 65520));
    assertEquals(0x7BFF, write(DType.F16, 65519));
    assertThrows(IllegalArgumentException.class, () -> write(DType.BF16, Float.MAX_VALUE));
    assertEquals(0x7F80, write(DType.BF16, Float.POSITIVE_INFINITY));
    assertEquals(0x7C00, write(DType.F16, Float.POSITIVE_INFINITY));
    assertThrows(IllegalArgumentException.class, () -> write(DType.I32, 1));
  }
}
