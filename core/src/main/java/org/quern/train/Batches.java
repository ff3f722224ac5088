package org.quern.train;

import org.quern.core.Philox;

/// Draws training examples: windows of the text at random places. The place of an example follows
/// from the seed and the example's number alone, so that the number of steps taken is all there is
/// to remember.
final class Batches {
  private static final long STREAM = 1L << 33; // beside dropout's and the initial weights'

  private final int[] tokens;
  private final int batch;
  private final int context;
  private final long seed;

  Batches(int[] tokens, int batch, int context, long seed) {
    this.tokens = tokens;
    this.batch = batch;
    this.context = context;
    this.seed = seed;
  }

  /// Fills one micro-batch.
  ///
  /// @param number of the micro-batch since the start of the run
  /// @param ids (B, T)
  /// @param targets (B, T), the token behind each id
  void fill(long number, int[] ids, int[] targets) {
    int[] words = new int[4];
    for (int b = 0; b < batch; b++) {
      Philox.block(words, seed, number * batch + b, STREAM);
      long bits = Integer.toUnsignedLong(words[0]) | (long) words[1] << 32;
      int from = (int) Long.remainderUnsigned(bits, tokens.length - context);
      System.arraycopy(tokens, from, ids, b * context, context);
      System.arraycopy(tokens, from + 1, targets, b * context, context);
    }
  }
}
