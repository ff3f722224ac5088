package org.quern.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Precision;
import org.quern.core.Settings;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;
import org.quern.train.StepReport;
import org.quern.train.TokenSplit;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// A whole model on a day with a device: decoding and training, with random parameters.
final class DayModel {
  private static final long SEED = 1337;
  private static final int BEST_OF = 3;

  private final DayPlan plan;
  private final DayTimer timer;

  /// @param plan the sizes
  /// @param timer hears of each step
  DayModel(DayPlan plan, DayTimer timer) {
    this.plan = plan;
    this.timer = timer;
  }

  private String describe() {
    GptConfig m = plan.model();
    return "GPT of %d layers, width %d, %d heads, vocabulary %d, random parameters"
        .formatted(m.layers(), m.width(), m.heads(), m.vocabulary());
  }

  DayReport.Table decodingTable() {
    return DayReport.Table.of(
        "Decoding",
        "%s; %d tokens behind a prompt of %d, greedy, one text, then as many as the batch says; the best of %d"
            .formatted(describe(), plan.decoded(), plan.prompt(), BEST_OF),
        "weights",
        "batch",
        "tokens/s",
        "ms a step");
  }

  /// Decodes with the weights held in every way.
  void decode(Settings settings, DayReport.Table table) {
    for (Precision precision : Precision.values()) {
      timer.next("decoding with weights in " + precision);
      try (Backend backend = Backends.open(settings.withPrecision(precision));
          Gpt gpt = new Gpt(backend, plan.model(), ParameterSource.random(SEED));
          InferenceModel model = InferenceModel.of(gpt)) {
        for (int batch : new int[] {1, 8}) {
          timer.next("decoding %d texts with weights in %s".formatted(batch, precision));
          double seconds = Double.POSITIVE_INFINITY;
          for (int i = 0; i < BEST_OF; i++) {
            seconds = Math.min(seconds, decode(model, batch));
          }
          double steps = plan.decoded();
          table.add(
              precision.name().toLowerCase(Locale.ROOT),
              batch,
              batch * steps / seconds,
              seconds / steps * 1e3);
        }
      } catch (IllegalArgumentException | UnsupportedOperationException e) {
        table.add(precision.name().toLowerCase(Locale.ROOT), 1, "not offered", "");
      }
    }
  }

  /// {@return seconds for the decoded tokens, without the prompt}
  private double decode(InferenceModel model, int batch) {
    int[][] prompts = new int[batch][plan.prompt()];
    SplittableRandom random = new SplittableRandom(SEED);
    for (int[] p : prompts) {
      Arrays.setAll(p, i -> random.nextInt(model.vocabulary()));
    }
    try (Session session = model.open(batch, plan.prompt() + plan.decoded())) {
      float[][] logits = session.prefill(prompts);
      int[] next = new int[batch];
      long start = System.nanoTime();
      for (int i = 0; i < plan.decoded(); i++) {
        for (int b = 0; b < batch; b++) {
          next[b] = highest(logits[b]);
        }
        logits = session.step(next);
      }
      return (System.nanoTime() - start) * 1e-9;
    }
  }

  private static int highest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  DayReport.Table trainingTable() {
    return DayReport.Table.of(
        "Training",
        "%s; %d steps of %d texts of %d tokens, AdamW; the text repeats a pattern, so that the loss falls"
            .formatted(describe(), plan.steps(), plan.batch(), plan.context()),
        "steps",
        "tokens/s",
        "first loss",
        "last loss",
        "gradient norm");
  }

  /// Trains a model.
  void train(Settings settings, DayReport report, DayReport.Table table) {
    timer.next("training");
    TrainingConfig config =
        TrainingConfig.DEFAULT
            .withSizes(plan.steps(), plan.batch(), 1, plan.context())
            .withRate(6e-4f, 6e-5f, Math.max(1, plan.steps() / 10));
    TokenSplit data = TokenSplit.of(pattern(), 0.1, plan.context());
    try (Backend backend = Backends.open(settings);
        Gpt gpt = new Gpt(backend, plan.model(), ParameterSource.random(SEED));
        Trainer trainer = new Trainer(gpt, config, data)) {
      StepReport first = trainer.step(); // compiles kernels, fills the pool
      StepReport last = first;
      long start = System.nanoTime();
      while (!trainer.done()) {
        timer.next("training, step %d of %d".formatted(trainer.steps() + 1, plan.steps()));
        last = trainer.step();
      }
      double seconds = (System.nanoTime() - start) * 1e-9;
      double tokens = (double) config.tokensPerStep() * (plan.steps() - 1);
      table.add(plan.steps(), tokens / seconds, first.loss(), last.loss(), last.gradientNorm());
      if (!(last.loss() < first.loss())) {
        report.trouble(
            "training: the loss went from %s to %s".formatted(first.loss(), last.loss()));
      }
    }
  }

  private int[] pattern() {
    int[] out = new int[Math.max(20_000, 30 * plan.context())];
    Arrays.setAll(out, i -> i % 97 * (i % 7 + 1) % plan.model().vocabulary());
    return out;
  }
}
