package org.quern.generate;

/// Finds a boundary among keys without sorting them: quickselect (Hoare, "Algorithm 65: find",
/// 1961), linear on average. Keys rank from the highest to the lowest, equal ones by index.
final class Selection {
  private final int[] order;
  private long state;

  Selection(int capacity) {
    this.order = new int[capacity];
  }

  /// {@return whether key i ranks before key j}
  static boolean before(double[] keys, int i, int j) {
    return keys[i] > keys[j] || (keys[i] == keys[j] && i < j);
  }

  /// {@return the index of the key of a rank}
  ///
  /// @param keys without NaN
  /// @param rank from 1 for the highest
  int ranked(double[] keys, int rank) {
    int from = 0;
    int to = start(keys, Double.NEGATIVE_INFINITY);
    int wanted = rank - 1;
    while (to - from > 1) {
      int at = partition(keys, from, to);
      if (at == wanted) {
        return order[at];
      }
      if (at > wanted) {
        to = at;
      } else {
        from = at + 1;
      }
    }
    return order[wanted];
  }

  /// {@return the index of the last of the fewest highest keys whose sum reaches a target; of the
  /// lowest key when all together do not}
  ///
  /// @param keys not negative
  /// @param target the sum to reach, positive
  /// @param least the keys below it are passed over: all of them together must not be needed
  int holding(double[] keys, double target, double least) {
    int from = 0;
    int to = start(keys, least);
    double sum = 0; // of all that rank before `from`
    while (from < to) {
      int at = partition(keys, from, to);
      double upper = sum;
      for (int i = from; i < at; i++) {
        upper += keys[order[i]];
      }
      double here = upper + keys[order[at]];
      if (upper >= target && at > from) {
        to = at;
      } else if (here >= target) {
        return order[at];
      } else {
        sum = here;
        from = at + 1;
      }
    }
    return order[to - 1]; // the last pivot: rounding left the sum below the target
  }

  private int start(double[] keys, double least) {
    int n = 0;
    for (int i = 0; i < keys.length; i++) {
      if (keys[i] >= least) {
        order[n++] = i;
      }
    }
    state = 0x9E3779B97F4A7C15L; // the same pivots in every call
    return n;
  }

  /// Puts a pivot where it belongs, what ranks before it to the left, the rest to the right.
  ///
  /// @return where the pivot is
  private int partition(double[] keys, int from, int to) {
    state = state * 6364136223846793005L + 1442695040888963407L;
    int chosen = from + (int) Math.floorMod(state >>> 33, (long) (to - from));
    int pivot = order[chosen];
    order[chosen] = order[to - 1];
    int at = from;
    for (int i = from; i < to - 1; i++) {
      int index = order[i];
      if (before(keys, index, pivot)) {
        order[i] = order[at];
        order[at++] = index;
      }
    }
    order[to - 1] = order[at];
    order[at] = pivot;
    return at;
  }
}
