package org.quern.cpu;

import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.quern.core.Philox;

/// [Dropout] with the Vector API: one block of [Philox] a lane. The products of 32-bit words need
/// 64 bits, hence the lanes of `long`.
final class VectorDropout {
  private static final VectorSpecies<Long> LANES = LongVector.SPECIES_PREFERRED;
  private static final int BLOCKS = LANES.length();
  private static final int WORDS = 4;
  private static final int ROUNDS = 10;
  private static final long LOW = 0xFFFFFFFFL;
  private static final long M0 = 0xD2511F53L;
  private static final long M1 = 0xCD9E8D57L;
  private static final int W0 = 0x9E3779B9;
  private static final int W1 = 0xBB67AE85;
  private static final long[] COUNT = new long[BLOCKS];

  static {
    for (int i = 0; i < BLOCKS; i++) {
      COUNT[i] = i;
    }
  }

  private VectorDropout() {}

  /// As [Dropout#factors].
  ///
  /// @param words scratch, as long as [#scratch] says
  static void factors(
      float[] factors, int at, long[] words, long seed, long first, int count, float rate) {
    int whole = WORDS * BLOCKS;
    int head = (int) Math.min(count, -first & (WORDS - 1));
    Dropout.factors(factors, at, seed, first, head, rate);
    int i = head;
    int threshold = Philox.threshold(rate);
    float kept = 1 / (1 - rate);
    for (; i + whole <= count; i += whole) {
      blocks(words, seed, (first + i) >>> 2);
      choose(factors, at + i, words, threshold, kept);
    }
    Dropout.factors(factors, at + i, seed, first + i, count - i, rate);
  }

  /// {@return how long the scratch of words must be}
  static int scratch() {
    return WORDS * BLOCKS;
  }

  /// Word w of the block in lane l goes to `words[w * BLOCKS + l]`.
  private static void blocks(long[] words, long seed, long block) {
    LongVector number = LongVector.fromArray(LANES, COUNT, 0).add(block);
    LongVector c0 = number.and(LOW);
    LongVector c1 = number.lanewise(VectorOperators.LSHR, 32);
    LongVector c2 = LongVector.zero(LANES);
    LongVector c3 = LongVector.zero(LANES);
    int k0 = (int) seed;
    int k1 = (int) (seed >>> 32);
    for (int r = 0; r < ROUNDS; r++) {
      LongVector p0 = c0.mul(M0);
      LongVector p1 = c2.mul(M1);
      c0 = p1.lanewise(VectorOperators.LSHR, 32);
      c0 = c0.lanewise(VectorOperators.XOR, c1).lanewise(VectorOperators.XOR, k0 & LOW);
      c2 = p0.lanewise(VectorOperators.LSHR, 32);
      c2 = c2.lanewise(VectorOperators.XOR, c3).lanewise(VectorOperators.XOR, k1 & LOW);
      c1 = p1.and(LOW);
      c3 = p0.and(LOW);
      k0 += W0;
      k1 += W1;
    }
    c0.intoArray(words, 0);
    c1.intoArray(words, BLOCKS);
    c2.intoArray(words, 2 * BLOCKS);
    c3.intoArray(words, 3 * BLOCKS);
  }

  private static void choose(float[] factors, int at, long[] words, int threshold, float kept) {
    for (int l = 0; l < BLOCKS; l++) {
      for (int w = 0; w < WORDS; w++) {
        boolean keeps = (int) (words[w * BLOCKS + l] >>> 8) >= threshold;
        factors[at + WORDS * l + w] = keeps ? kept : 0;
      }
    }
  }
}
