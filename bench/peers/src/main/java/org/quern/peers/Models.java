package org.quern.peers;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.quern.gpt.GptConfig;

/// The models and the texts of contests.
final class Models {
  static final long SEED = 1337;

  private Models() {}

  /// {@return the sizes of a model: `gpt2` is GPT-2 124M, `toy` is for tests}
  static GptConfig config(String name) {
    return switch (name) {
      case "gpt2" -> GptConfig.gpt2(50_257, 1024, 768, 12, 12);
      case "toy" -> GptConfig.gpt2(101, 64, 64, 2, 2);
      default -> throw new IllegalArgumentException("no model is named " + name);
    };
  }

  /// {@return random tokens}
  static int[] ids(int vocabulary, int count) {
    SplittableRandom random = new SplittableRandom(SEED);
    int[] out = new int[count];
    Arrays.setAll(out, i -> random.nextInt(vocabulary));
    return out;
  }

  /// {@return the token that is most likely}
  static int highest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }
}
