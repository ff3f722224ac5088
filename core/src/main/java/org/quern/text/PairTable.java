package org.quern.text;

import java.util.Arrays;

/// From a pair of token ids to the rank of their merge and the token that they become: a hash table
/// with open addressing, without boxes. Read-only once filled, so that threads may share it.
final class PairTable {
  /// No such pair.
  static final long NONE = -1;

  private final long[] keys;
  private final long[] values;
  private final int mask;

  /// Makes an empty table.
  ///
  /// @param pairs how many will be put
  PairTable(int pairs) {
    int capacity = Integer.highestOneBit(Math.max(4, pairs)) << 2; // at most half full
    keys = new long[capacity];
    values = new long[capacity];
    mask = capacity - 1;
    Arrays.fill(keys, NONE);
  }

  /// {@return whether the pair is new; an old one stays as it is}
  boolean put(int left, int right, int rank, int merged) {
    long key = pack(left, right);
    int at = slot(key);
    if (keys[at] == key) {
      return false;
    }
    keys[at] = key;
    values[at] = pack(rank, merged);
    return true;
  }

  /// {@return the rank in the upper half and the merged token in the lower, or [#NONE]}
  long get(int left, int right) {
    long key = pack(left, right);
    int at = slot(key);
    return keys[at] == key ? values[at] : NONE;
  }

  private int slot(long key) {
    long hash = key * 0x9E3779B97F4A7C15L;
    int at = (int) (hash >>> 32) & mask;
    while (keys[at] != NONE && keys[at] != key) {
      at = (at + 1) & mask;
    }
    return at;
  }

  private static long pack(int high, int low) {
    return (long) high << 32 | Integer.toUnsignedLong(low);
  }
}
