package org.quern.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.quern.core.Philox;

/// [Dropout] with as many blocks of [Philox] at a time as a vector has 64-bit lanes.
final class VectorDropout {
  private static final VectorSpecies<Float> S = Lanes.FLOATS;
  private static final VectorSpecies<Long> LONGS = Lanes.LONGS;
  private static final int BLOCKS = LONGS.length();

  /// Elements of a step: four words a block, two vectors of floats.
  private static final int STEP = 4 * BLOCKS;

  // The constants of Philox 4x32-10, of which the words of a block are computed in 64-bit lanes:
  // the lower half counts, the upper one is arbitrary.
  private static final long WORD = 0xFFFFFFFFL;
  private static final long M0 = 0xD2511F53L;
  private static final long M1 = 0xCD9E8D57L;
  private static final long W0 = 0x9E3779B9L;
  private static final long W1 = 0xBB67AE85L;
  private static final int ROUNDS = 10;

  // Every fourth bit: where the keep bits of the first words of the blocks go.
  private static final long EVERY_FOURTH = 0x1111_1111L;

  private VectorDropout() {}

  /// [Dropout#factors].
  ///
  /// @param aside takes what is computed, from a whole block on
  static void factors(
      Scratch scratch, int aside, float[] factors, long seed, long first, int count, float rate) {
    if (S.length() < 8) { // few processors with such vectors turn masks to bits
      Dropout.factors(factors, seed, first, count, rate);
      return;
    }
    int before = (int) (first & 3);
    int steps = CpuOps.parts(before + count, STEP);
    float[] all = scratch.floats(aside, steps * STEP);
    for (int i = 0; i < steps; i++) {
      long block = (first >>> 2) + (long) i * BLOCKS;
      step(all, i * STEP, seed, block, Philox.threshold(rate), 1 / (1 - rate));
    }
    System.arraycopy(all, before, factors, 0, count);
  }

  private static void step(float[] out, int at, long seed, long block, int threshold, float kept) {
    LongVector c0 = LongVector.broadcast(LONGS, block).addIndex(1);
    LongVector c1 = c0.lanewise(VectorOperators.LSHR, 32);
    LongVector c2 = LongVector.zero(LONGS);
    LongVector c3 = c2;
    long k0 = seed & WORD;
    long k1 = seed >>> 32;
    for (int r = 0; r < ROUNDS; r++) {
      LongVector p0 = c0.and(WORD).mul(M0);
      LongVector p1 = c2.and(WORD).mul(M1);
      c0 = p1.lanewise(VectorOperators.LSHR, 32).lanewise(VectorOperators.XOR, c1);
      c0 = c0.lanewise(VectorOperators.XOR, k0);
      c2 = p0.lanewise(VectorOperators.LSHR, 32).lanewise(VectorOperators.XOR, c3);
      c2 = c2.lanewise(VectorOperators.XOR, k1);
      c1 = p1;
      c3 = p0;
      k0 = (k0 + W0) & WORD;
      k1 = (k1 + W1) & WORD;
    }
    long bits = Long.expand(keeps(c0, threshold), EVERY_FOURTH);
    bits |= Long.expand(keeps(c1, threshold), EVERY_FOURTH << 1);
    bits |= Long.expand(keeps(c2, threshold), EVERY_FOURTH << 2);
    bits |= Long.expand(keeps(c3, threshold), EVERY_FOURTH << 3);
    FloatVector zero = FloatVector.zero(S);
    zero.blend(kept, VectorMask.fromLong(S, bits)).intoArray(out, at);
    zero.blend(kept, VectorMask.fromLong(S, bits >>> S.length())).intoArray(out, at + S.length());
  }

  private static long keeps(LongVector words, int threshold) {
    return words
        .and(WORD)
        .lanewise(VectorOperators.LSHR, 8)
        .compare(VectorOperators.GE, threshold)
        .toLong();
  }
}
