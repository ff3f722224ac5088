package org.quern.text;

import java.util.Arrays;

/// Merges the tokens of one piece: always the pair of lowest rank, the leftmost of equals, until no
/// pair is left (Sennrich et al., arXiv:1508.07909, section 3.2). A linked list of tokens and a
/// heap of pairs, so that n bytes cost O(n log n).
final class PieceMerger {
  private final PairTable pairs;
  private final int[] tokens;
  private final int[] next; // the token behind, or the length; -1: merged away
  private final int[] previous;
  private long[] heap; // rank in the upper half, position of the left token in the lower
  private int heapSize;

  /// Starts with a piece.
  ///
  /// @param pairs what merges
  /// @param tokens one a byte; overwritten
  PieceMerger(PairTable pairs, int[] tokens) {
    this.pairs = pairs;
    this.tokens = tokens;
    next = new int[tokens.length];
    previous = new int[tokens.length];
    heap = new long[tokens.length + 2];
  }

  /// {@return the tokens that are left}
  int[] merge() {
    int n = tokens.length;
    for (int i = 0; i < n; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    for (int i = 0; i + 1 < n; i++) {
      offer(i);
    }
    while (heapSize > 0) {
      long best = poll();
      int at = (int) best;
      long pair = at(at);
      if (pair != PairTable.NONE && pair >>> 32 == best >>> 32) { // else it merged since
        join(at, (int) pair);
      }
    }
    int count = 0;
    for (int i = 0; i < n; i = next[i]) {
      tokens[count++] = tokens[i];
    }
    return Arrays.copyOf(tokens, count);
  }

  /// {@return the merge of the token at that position with the one behind it}
  private long at(int position) {
    int right = next[position];
    return right < 0 || right == tokens.length
        ? PairTable.NONE
        : pairs.get(tokens[position], tokens[right]);
  }

  private void join(int at, int merged) {
    int gone = next[at];
    tokens[at] = merged;
    next[at] = next[gone];
    next[gone] = -1;
    if (next[at] < tokens.length) {
      previous[next[at]] = at;
      offer(at);
    }
    if (previous[at] >= 0) {
      offer(previous[at]);
    }
  }

  private void offer(int position) {
    long pair = at(position);
    if (pair == PairTable.NONE) {
      return;
    }
    if (heapSize == heap.length) {
      heap = Arrays.copyOf(heap, Math.multiplyExact(heapSize, 2));
    }
    long value = pair >>> 32 << 32 | position;
    int child = heapSize++;
    while (child > 0 && heap[(child - 1) / 2] > value) {
      heap[child] = heap[(child - 1) / 2];
      child = (child - 1) / 2;
    }
    heap[child] = value;
  }

  private long poll() {
    long top = heap[0];
    long value = heap[--heapSize];
    int hole = 0;
    for (int child = 1; child < heapSize; child = 2 * hole + 1) {
      if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
        child++;
      }
      if (heap[child] >= value) {
        break;
      }
      heap[hole] = heap[child];
      hole = child;
    }
    heap[hole] = value;
    return top;
  }
}
