package org.quern.cuda;

import org.quern.core.Backend;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// A GPT as small as may be.
final class TinyModel {
  private static final int VOCABULARY = 11;
  private static final int CONTEXT = 8;

  private TinyModel() {}

  static Gpt model(Backend backend) {
    return new Gpt(
        backend, GptConfig.gpt2(VOCABULARY, CONTEXT, 16, 2, 2), ParameterSource.random(1));
  }

  static Trainer trainer(Gpt model, int batch) {
    int[] tokens = new int[200];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = i * i % VOCABULARY;
    }
    TrainingConfig config = TrainingConfig.DEFAULT.withSizes(100, batch, 1, CONTEXT);
    return new Trainer(model, config, TokenSplit.of(tokens, 0.1, CONTEXT));
  }

  /// Makes a model, trains it, and gives both back.
  ///
  /// @return the last loss
  static double train(Backend backend, int batch, int steps) {
    try (Gpt model = model(backend);
        Trainer trainer = trainer(model, batch)) {
      double loss = Double.NaN;
      for (int i = 0; i < steps; i++) {
        loss = trainer.step().loss();
      }
      return loss;
    }
  }
}
