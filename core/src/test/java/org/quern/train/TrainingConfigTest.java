package org.quern.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TrainingConfigTest {
  private final TrainingConfig config =
      TrainingConfig.DEFAULT.withSizes(110, 4, 2, 8).withRate(1e-2f, 1e-3f, 10);

  @Test
  void theRateRisesThenFalls() {
    assertEquals(1e-2 / 11, config.rate(0), 1e-8);
    assertEquals(1e-2, config.rate(10), 1e-8);
    assertEquals((1e-2 + 1e-3) / 2, config.rate(60), 1e-8);
    assertEquals(1e-3, config.rate(110), 1e-8);
    for (int s = 11; s < 110; s++) {
      assertTrue(config.rate(s) < config.rate(s - 1));
    }
  }

  @Test
  void badNumbersAreNamed() {
    var e = assertThrows(IllegalArgumentException.class, () -> config.withRate(1e-3f, 1e-2f, 0));
    assertTrue(e.getMessage().contains("minimumRate"), e.getMessage());
    assertThrows(IllegalArgumentException.class, () -> config.withSizes(0, 1, 1, 1));
    assertThrows(IllegalArgumentException.class, () -> config.withRate(Float.NaN, 0, 0));
  }

  @Test
  void theLastPartValidates() {
    int[] tokens = IntStream.range(0, 100).toArray();
    TokenSplit split = TokenSplit.of(tokens, 0.1, 8);
    assertEquals(90, split.train().length);
    assertArrayEquals(IntStream.range(90, 100).toArray(), split.validation());
    var e = assertThrows(IllegalArgumentException.class, () -> TokenSplit.of(tokens, 0.1, 10));
    assertTrue(e.getMessage().contains("too short"), e.getMessage());
  }

  @Test
  void examplesAreWindowsOfTheText() {
    int[] tokens = IntStream.range(0, 50).toArray();
    Batches batches = new Batches(tokens, 3, 5, 1);
    int[] ids = new int[15];
    int[] targets = new int[15];
    int[] again = new int[15];
    boolean[] starts = new boolean[45];
    for (int n = 0; n < 400; n++) {
      batches.fill(n, ids, targets);
      for (int i = 0; i < 15; i++) {
        assertEquals(ids[i] + 1, targets[i]);
        assertEquals(ids[i / 5 * 5] + i % 5, ids[i]);
      }
      starts[ids[0]] = true;
      new Batches(tokens, 3, 5, 1).fill(n, again, targets);
      assertArrayEquals(ids, again);
    }
    for (boolean start : starts) {
      assertTrue(start, "every window can be drawn, the last included");
    }
  }
}
