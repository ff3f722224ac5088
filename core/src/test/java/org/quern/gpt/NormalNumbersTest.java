package org.quern.gpt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import org.junit.jupiter.api.Test;

class NormalNumbersTest {
  private static float[] draw(int count, long seed, String stream) {
    float[] out = new float[count];
    NormalNumbers.fill(out, 0.5f, 2, seed, stream);
    return out;
  }

  @Test
  void theMomentsAreThoseOfTheNormalDistribution() {
    int n = 100_001;
    double[] m = new double[5];
    for (float x : draw(n, 1, "a")) {
      double z = (x - 0.5) / 2;
      for (int p = 1; p < 5; p++) {
        m[p] += Math.pow(z, p) / n;
      }
    }
    double sigma = 1 / Math.sqrt(n);
    assertEquals(0, m[1], 4 * sigma);
    assertEquals(1, m[2], 4 * Math.sqrt(2) * sigma);
    assertEquals(0, m[3], 4 * Math.sqrt(15) * sigma);
    assertEquals(3, m[4], 4 * Math.sqrt(96) * sigma);
  }

  @Test
  void seedAndStreamDecide() {
    assertArrayEquals(draw(9, 1, "a"), draw(9, 1, "a"));
    assertNotEquals(draw(9, 1, "a")[0], draw(9, 2, "a")[0]);
    assertNotEquals(draw(9, 1, "a")[0], draw(9, 1, "b")[0]);
  }
}
