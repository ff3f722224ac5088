package org.quern.tck;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.quern.core.DType;
import org.quern.tck.reference.Rounding;

class RoundingTest {
  /// Between any two neighbours: below the middle the lower one, above it the upper one, in the
  /// middle the one with the even bits.
  @Test
  void bfloat16RoundsToNearestEven() {
    for (int bits = 0; bits < 0x7f7f; bits++) {
      float low = Rounding.bf16((short) bits);
      float high = Rounding.bf16((short) (bits + 1));
      float middle = (float) (((double) low + high) / 2);
      assertEquals(low, Rounding.toStorage(Math.nextDown(middle), DType.BF16));
      assertEquals(high, Rounding.toStorage(Math.nextUp(middle), DType.BF16));
      assertEquals((bits & 1) == 0 ? low : high, Rounding.toStorage(middle, DType.BF16));
      assertEquals(-high, Rounding.toStorage(-Math.nextUp(middle), DType.BF16));
    }
    assertTrue(Double.isInfinite(Rounding.toStorage(Float.MAX_VALUE, DType.BF16)));
    assertTrue(Double.isNaN(Rounding.toStorage(Double.NaN, DType.BF16)));
  }

  @Test
  void nearestIsTheArithmeticOfFloats() {
    SplittableRandom random = new SplittableRandom(3);
    Rounding r = Rounding.nearest();
    for (int i = 0; i < 100_000; i++) {
      float a = (float) random.nextGaussian();
      float b = (float) random.nextGaussian();
      assertEquals(a + b, r.of((double) a + b));
      assertEquals(a * b, r.of((double) a * b));
      assertEquals(a / b, r.of((double) a / b));
    }
  }

  @Test
  void randomTakesEitherNeighbour() {
    Rounding r = Rounding.random(1);
    double x = 1 + 0x1p-30;
    int up = 0;
    for (int i = 0; i < 1000; i++) {
      double rounded = r.of(x);
      assertTrue(rounded == 1 || rounded == Math.nextUp(1f));
      up += rounded == 1 ? 0 : 1;
    }
    assertTrue(up > 400 && up < 600, "up " + up + " times of 1000");
    assertEquals(0.5, r.of(0.5), "what is exact stays");
  }
}
