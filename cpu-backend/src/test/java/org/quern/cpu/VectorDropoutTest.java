package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Philox;

@ExtendWith(Tier.class)
class VectorDropoutTest {
  @Test
  void dropsWhatPhiloxSays() {
    Scratch scratch = new Scratch();
    long[] firsts = {0, 1, 6, 1021, (1L << 34) - 70, (1L << 40) + 3};
    for (long first : firsts) {
      for (int count : new int[] {0, 1, 3, 5, 31, 32, 33, 64, 133}) {
        float[] factors = new float[count];
        VectorDropout.factors(scratch, 0, factors, 0x9876543212345678L, first, count, 0.3f);
        for (int i = 0; i < count; i++) {
          boolean keeps = Philox.keeps(0x9876543212345678L, first + i, 0.3f);
          assertEquals(keeps ? 1 / 0.7f : 0, factors[i], "element " + (first + i));
        }
      }
    }
  }
}
