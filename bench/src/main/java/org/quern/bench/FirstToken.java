package org.quern.bench;

import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;

/// A program as short as one can be: it makes a model, and prints the likeliest first token.
public final class FirstToken {
  private FirstToken() {}

  /// Prints the number of the token.
  ///
  /// @param args none
  public static void main(String... args) {
    GptConfig config = Models.config("small");
    try (Backend backend = Backends.open();
        Gpt gpt = new Gpt(backend, config, ParameterSource.random(Models.SEED));
        InferenceModel model = InferenceModel.of(gpt);
        Session session = model.open(1)) {
      float[] logits = session.prefill(Inputs.tokens(6, config.vocabulary(), 1))[0];
      int best = 0;
      for (int i = 1; i < logits.length; i++) {
        best = logits[i] > logits[best] ? i : best;
      }
      System.out.println(best);
    }
  }
}
