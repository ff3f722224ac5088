package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.core.Activation;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Precision;
import org.quern.core.Settings;
import org.quern.flow.Tape.Recompute;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.GptConfig.Bias;
import org.quern.gpt.GptConfig.NormPlacement;
import org.quern.gpt.GptConfig.Positions;
import org.quern.gpt.GptConfig.Unembedding;
import org.quern.gpt.ParameterSource;
import org.quern.plan.MemoryPlan;
import org.quern.plan.SizesBackend.Packing;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// The plan against the memory that the CPU backend really hands out, to the byte.
class MemoryPlanTest {
  private static final int BATCH = 3;
  private static final int CONTEXT = 40;

  /// Sizes whose panels need no padding.
  static List<GptConfig> models() {
    GptConfig gpt2 = GptConfig.gpt2(192, 48, 64, 3, 4);
    return List.of(
        gpt2,
        gpt2.withDropout(0.1f).withWindow(8),
        gpt2.with(NormPlacement.POST, Positions.SINUSOIDAL, Activation.RELU)
            .with(Unembedding.SEPARATE, Bias.NO));
  }

  private static Backend cpu(Precision precision) {
    return Backends.open(Settings.load().withBackend("cpu").withPrecision(precision));
  }

  @ParameterizedTest
  @MethodSource("models")
  void inference(GptConfig config) {
    checkInference(config, Precision.F32);
  }

  @ParameterizedTest
  @EnumSource(names = {"BF16", "Q8"})
  void inferenceInFewerBits(Precision precision) {
    checkInference(models().getFirst(), precision);
  }

  private static void checkInference(GptConfig config, Precision precision) {
    try (Backend cpu = cpu(precision);
        Gpt gpt = new Gpt(cpu, config, ParameterSource.random(1));
        InferenceModel model = InferenceModel.of(gpt);
        Session session = model.open(BATCH, CONTEXT)) {
      session.prefill(new int[BATCH][CONTEXT - 1]);
      session.step(new int[BATCH]);
      assertEquals(
          cpu.pool().stats().peak(),
          MemoryPlan.inference(config, precision, Packing.PACKED, BATCH, CONTEXT).total());
    }
  }

  @ParameterizedTest
  @MethodSource("models")
  void training(GptConfig config) {
    checkTraining(config, Recompute.NEVER);
  }

  @ParameterizedTest
  @MethodSource("models")
  void trainingRecomputed(GptConfig config) {
    checkTraining(config, Recompute.BLOCKS);
  }

  private static void checkTraining(GptConfig config, Recompute recompute) {
    int[] tokens = new Random(1).ints(500, 0, config.vocabulary()).toArray();
    TrainingConfig training =
        TrainingConfig.DEFAULT.withSizes(2, BATCH, 2, CONTEXT).withRecompute(recompute);
    try (Backend cpu = cpu(Precision.F32);
        Gpt gpt = new Gpt(cpu, config, ParameterSource.random(1));
        Trainer trainer = new Trainer(gpt, training, TokenSplit.of(tokens, 0.2, CONTEXT))) {
      trainer.step();
      trainer.step();
      assertEquals(
          cpu.pool().stats().peak(),
          MemoryPlan.training(config, BATCH, CONTEXT, recompute).total());
    }
  }
}
