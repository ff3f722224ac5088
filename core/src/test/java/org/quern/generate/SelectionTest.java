package org.quern.generate;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Against a stable sort.
class SelectionTest {
  private static Integer[] sorted(double[] keys) {
    Integer[] order = new Integer[keys.length];
    Arrays.setAll(order, i -> i);
    Arrays.sort(order, Comparator.comparingDouble(i -> -keys[i]));
    return order;
  }

  /// Few distinct values, so that equal ones are common.
  private static double[] keys(Random random, int n, int distinct) {
    double[] keys = new double[n];
    Arrays.setAll(keys, i -> random.nextInt(distinct) / 1024.0); // sums are exact
    return keys;
  }

  @Test
  void rankedIsTheSortedOne() {
    Random random = new Random(1);
    for (int n : new int[] {1, 2, 3, 7, 64, 771}) {
      double[] keys = keys(random, n, 1 + n / 2);
      Integer[] order = sorted(keys);
      Selection selection = new Selection(n);
      for (int rank = 1; rank <= n; rank++) {
        assertEquals(order[rank - 1], selection.ranked(keys, rank), n + " keys, rank " + rank);
      }
    }
  }

  @Test
  void infiniteKeysRankLikeOthers() {
    double[] keys = {
      Double.NEGATIVE_INFINITY, 1, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY
    };
    Selection selection = new Selection(4);
    int[] ranks = {2, 1, 0, 3};
    for (int r = 0; r < 4; r++) {
      assertEquals(ranks[r], selection.ranked(keys, r + 1));
    }
  }

  @Test
  void holdingIsTheFirstPrefixThatReachesTheTarget() {
    Random random = new Random(2);
    for (int n : new int[] {1, 2, 3, 7, 64, 771}) {
      double[] keys = keys(random, n, 1 + n / 2);
      keys[n / 2] = 1;
      Integer[] order = sorted(keys);
      double total = Arrays.stream(keys).sum();
      Selection selection = new Selection(n);
      for (int t = 1; t <= 200; t++) {
        double target = t / 200.0 * total;
        int i = 0;
        for (double sum = keys[order[0]]; sum < target; sum += keys[order[i]]) {
          i++;
        }
        assertEquals(order[i], selection.holding(keys, target, 0), n + " keys, target " + target);
        double least = 0.5 * (total - target) / n;
        assertEquals(order[i], selection.holding(keys, target, least), "least " + least);
      }
    }
  }

  @Test
  void holdingMoreThanThereIsKeepsAll() {
    double[] keys = {0.25, 0.5, 0.125};
    assertEquals(2, new Selection(3).holding(keys, 1, 0));
  }
}
