package org.quern.core;

/// Philox 4x32-10, a counter-based random number generator (Salmon et al., "Parallel random
/// numbers: as easy as 1, 2, 3", SC 2011). Word `i & 3` of block `i >> 2` under a 64-bit seed is
/// random number `i`: no state, so that every backend draws the same numbers in any order.
///
/// The counter is `(low(block), high(block), 0, 0)`, the key `(low(seed), high(seed))`.
public final class Philox {
  private static final int M0 = 0xD2511F53;
  private static final int M1 = 0xCD9E8D57;
  private static final int W0 = 0x9E3779B9;
  private static final int W1 = 0xBB67AE85;
  private static final int ROUNDS = 10;

  private Philox() {}

  /// Writes the four words of one block.
  ///
  /// @param out at least 4 long
  /// @param seed the key
  /// @param block the counter
  public static void block(int[] out, long seed, long block) {
    block(out, seed, block, 0);
  }

  /// Writes the four words of one block of the 128-bit counter.
  ///
  /// @param out at least 4 long
  /// @param seed the key
  /// @param low the lower half of the counter
  /// @param high the upper half of the counter
  public static void block(int[] out, long seed, long low, long high) {
    int c0 = (int) low;
    int c1 = (int) (low >>> 32);
    int c2 = (int) high;
    int c3 = (int) (high >>> 32);
    int k0 = (int) seed;
    int k1 = (int) (seed >>> 32);
    for (int r = 0; r < ROUNDS; r++) {
      long p0 = Integer.toUnsignedLong(M0) * Integer.toUnsignedLong(c0);
      long p1 = Integer.toUnsignedLong(M1) * Integer.toUnsignedLong(c2);
      int n0 = (int) (p1 >>> 32) ^ c1 ^ k0;
      int n2 = (int) (p0 >>> 32) ^ c3 ^ k1;
      c1 = (int) p1;
      c3 = (int) p0;
      c0 = n0;
      c2 = n2;
      k0 += W0;
      k1 += W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
  }

  /// {@return random number `index` of that seed, 32 uniform bits}
  ///
  /// @param seed the key
  /// @param index which one, from 0
  public static int word(long seed, long index) {
    int[] out = new int[4];
    block(out, seed, index >>> 2);
    return out[(int) (index & 3)];
  }

  /// {@return the bound below which the upper 24 bits of a word mean "dropped"}
  ///
  /// @param rate the share to drop, in [0, 1)
  public static int threshold(float rate) {
    return (int) Math.rint(rate * 0x1p24);
  }

  /// {@return whether dropout keeps an element: the upper 24 bits of its word, as an unsigned
  /// integer, are at or above `rate * 2^24` rounded}
  ///
  /// @param seed of the dropout
  /// @param index of the element in its tensor
  /// @param rate the share to drop, in [0, 1)
  public static boolean keeps(long seed, long index, float rate) {
    return (word(seed, index) >>> 8) >= threshold(rate);
  }
}
