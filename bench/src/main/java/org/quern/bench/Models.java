package org.quern.bench;

import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.train.StepReport;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// Models with random parameters, and a check that a backend computes with them what the float64
/// reference does. The reference is slow: the check runs a tiny model of the same family.
public final class Models {
  /// Of their random parameters.
  public static final long SEED = 1337;

  private static final int SOME_TOKENS = 12;

  /// Relative error of logits with weights in f32, after two layers; of a loss too.
  private static final double TOLERANCE = 1e-4;

  private Models() {}

  /// {@return the numbers of a model}
  ///
  /// @param name `gpt2`: 124 million parameters (Radford et al. 2019); `small`: 2.9 million, the
  ///   shape of the model that comes with Quern; `toy`
  /// @throws IllegalArgumentException if there is no such model
  public static GptConfig config(String name) {
    return switch (name) {
      case "gpt2" -> GptConfig.gpt2(50257, 1024, 768, 12, 12);
      case "small" -> GptConfig.gpt2(65, 1024, 192, 6, 6);
      case "toy" -> GptConfig.gpt2(96, 1024, 64, 2, 2);
      default ->
          throw new IllegalArgumentException(
              "no model is named '%s'; there are gpt2, small, toy".formatted(name));
    };
  }

  /// {@return numbers of all weights that every token meets, without embeddings as such}
  static double linearWeights(GptConfig c) {
    double block = (4.0 * c.width() + 2.0 * c.mlpWidth()) * c.width();
    return c.layers() * block;
  }

  /// {@return numbers of the unembedding}
  static double unembedding(GptConfig c) {
    return (double) c.vocabulary() * c.width();
  }

  /// {@return operations of attention, one token that sees some keys}
  static double attention(GptConfig c, double keys) {
    return 4.0 * c.layers() * c.width() * keys;
  }

  /// {@return the precision's share of error in logits}
  private static double tolerance(Precision precision) {
    return switch (precision) {
      case F32 -> TOLERANCE;
      case BF16 -> 0x1p-6; // each weight off by up to 2^-9; layers add up
      case F16 -> 0x1p-9;
      case Q8 -> 0x1p-4; // each weight off by up to 1/254 of its block's largest
    };
  }

  /// Compares logits of prefill and of the step behind it with the reference.
  ///
  /// @throws IllegalStateException if they are wrong: a wrong model must not be timed
  static void verifyInference(Backend device, Precision precision) {
    try (ReferenceBackend reference = new ReferenceBackend()) {
      float[][] want = logits(reference);
      float[][] found = logits(device);
      for (int i = 0; i < want.length; i++) {
        double error = 0;
        double size = 0;
        for (int v = 0; v < want[i].length; v++) {
          error += Math.pow(found[i][v] - (double) want[i][v], 2);
          size += Math.pow(want[i][v], 2);
        }
        requireClose(
            i == 0 ? "logits of prefill" : "logits of a step",
            Math.sqrt(error / size),
            tolerance(precision));
      }
    }
  }

  private static void requireClose(String what, double error, double tolerance) {
    if (!(error <= tolerance)) {
      throw new IllegalStateException(
          "wrong %s: off by %s of their size, at most %s is right"
              .formatted(what, error, tolerance));
    }
  }

  private static float[][] logits(Backend backend) {
    GptConfig config = config("toy");
    try (Gpt gpt = new Gpt(backend, config, ParameterSource.random(SEED));
        InferenceModel model = InferenceModel.of(gpt);
        Session session = model.open(1)) {
      int[] prompt = Inputs.tokens(SOME_TOKENS, config.vocabulary(), SEED);
      float[] first = session.prefill(prompt)[0].clone();
      return new float[][] {first, session.step(prompt[0])[0].clone()};
    }
  }

  /// {@return how models are trained here, forever}
  static TrainingConfig training(int context) {
    return TrainingConfig.DEFAULT.withSizes(1_000_000, 1, 1, context).withRate(1e-4f, 1e-5f, 100);
  }

  /// {@return something to train on}
  static TokenSplit data(GptConfig config, int context) {
    return TokenSplit.of(
        Inputs.tokens(30 * context + 1000, config.vocabulary(), SEED), 0.1, context);
  }

  /// Compares loss and gradient norm of two steps with the reference.
  ///
  /// @throws IllegalStateException if they are wrong
  static void verifyTraining(Backend device) {
    try (ReferenceBackend reference = new ReferenceBackend()) {
      StepReport want = train(reference);
      StepReport found = train(device);
      requireClose("loss", Math.abs(found.loss() / want.loss() - 1), TOLERANCE);
      double norm = Math.abs(found.gradientNorm() / want.gradientNorm() - 1);
      requireClose("gradient norm", norm, TOLERANCE);
    }
  }

  private static StepReport train(Backend backend) {
    GptConfig config = config("toy");
    try (Gpt gpt = new Gpt(backend, config, ParameterSource.random(SEED));
        Trainer trainer = new Trainer(gpt, training(SOME_TOKENS), data(config, SOME_TOKENS))) {
      trainer.step();
      return trainer.step();
    }
  }
}
