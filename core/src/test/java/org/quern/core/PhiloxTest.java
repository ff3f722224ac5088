package org.quern.core;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class PhiloxTest {
  /// The known-answer vectors that come with the authors' Random123 library.
  @Test
  void givesThePublishedNumbers() {
    check("6627e8d5 e169c58d bc57ac4c 9b00dbd8", 0, 0, 0);
    check("408f276d 41c83b0e a20bc7c6 6d5451fd", -1, -1, -1);
    check(
        "d16cfe09 94fdcceb 5001e420 24126ea1",
        0x299f31d0a4093822L,
        0x85a308d3243f6a88L,
        0x0370734413198a2eL);
  }

  private static void check(String want, long seed, long low, long high) {
    int[] words = new int[4];
    Philox.block(words, seed, low, high);
    assertEquals(want, "%08x %08x %08x %08x".formatted(words[0], words[1], words[2], words[3]));
  }

  @Test
  void wordsAreThoseOfTheirBlock() {
    int[] words = new int[4];
    Philox.block(words, 42, 3);
    int[] single = new int[4];
    for (int i = 0; i < 4; i++) {
      single[i] = Philox.word(42, 12 + i);
    }
    assertArrayEquals(words, single);
  }

  @Test
  void dropsTheShareAskedFor() {
    for (float rate : new float[] {0, 0.1f, 0.5f}) {
      int kept = 0;
      for (int i = 0; i < 40_000; i++) {
        kept += Philox.keeps(7, i, rate) ? 1 : 0;
      }
      double deviation = Math.sqrt(40_000 * rate * (1 - rate));
      assertEquals(40_000 * (1 - rate), kept, 4 * deviation);
    }
  }
}
