package org.quern.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class DuelTest {
  private static final Duel SHORT = new Duel(3, 0, 0);

  /// Both sides sleep; the peer twice as long.
  private static final class Sleepers implements Contest {
    private final double difference;
    final List<String> calls = new ArrayList<>();

    Sleepers(double difference) {
      this.difference = difference;
    }

    @Override
    public Terms terms() {
      return new Terms("a sleeper", Unit.MILLISECONDS, 1, 1e-5);
    }

    @Override
    public void quern() {
      sleep("quern", 20);
    }

    @Override
    public void peer() {
      sleep("peer", 40);
    }

    private void sleep(String who, int millis) {
      calls.add(who);
      try {
        Thread.sleep(millis);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    @Override
    public double difference() {
      return difference;
    }

    @Override
    public void close() {}
  }

  @Test
  void bothTakeTurns() {
    Sleepers c = new Sleepers(0);
    Duel.Times times = SHORT.run(c);
    assertEquals(3, times.quern().length);
    assertEquals(3, times.peer().length);
    assertTrue(Figure.of(times.quern()).min() >= 0.02);
    assertTrue(Figure.of(times.peer()).min() >= 0.04);
    List<String> turns = c.calls.subList(c.calls.size() - 6, c.calls.size());
    assertEquals(List.of("quern", "peer", "quern", "peer", "quern", "peer"), turns);
  }

  @Test
  void wrongResultsAreNotTimed() {
    for (double difference : new double[] {1.1e-5, Double.NaN}) {
      Sleepers c = new Sleepers(difference);
      assertThrows(IllegalStateException.class, () -> SHORT.run(c));
      assertEquals(List.of(), c.calls);
    }
  }

  @Test
  void nanIsADifference() {
    float[] a = {1, Float.NaN, 2};
    assertTrue(Double.isNaN(Numbers.difference(a, new float[] {1, 1, 2})));
    assertEquals(0.25, Numbers.difference(new float[] {1, 3}, new float[] {1, 4}));
  }
}
