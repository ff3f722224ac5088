package org.quern.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.quern.core.DType;
import org.quern.generate.GenerationOptions;
import org.quern.generate.Generator;
import org.quern.generate.InferenceModel;
import org.quern.generate.Overflow;
import org.quern.generate.TokenListener;
import org.quern.io.ModelFolder;
import org.quern.text.Tokenizer;
import org.quern.train.Checkpoint;
import org.quern.train.StepReport;
import org.quern.train.Trainer;
import org.quern.train.TrainingConfig;

/// Takes the steps of a training run, and now and then validates, writes down and keeps.
final class TrainingLoop {
  private static final long SMOOTHING_TOKENS = 100_000;

  /// Tokens of the text that a sample goes on from.
  private static final int PROMPT = 16;

  private final RunFolder folder;
  private final Trainer trainer;
  private final Tokenizer tokenizer;
  private final Recipe recipe;
  private final PrintWriter out;
  private final Average loss;
  private final List<Double> curve = new ArrayList<>();
  private double best = Double.POSITIVE_INFINITY;

  /// @param folder takes what is kept
  /// @param trainer at step 0
  /// @param tokenizer is kept with the model
  /// @param recipe says when to validate and how, and what to keep
  /// @param out takes what people read
  TrainingLoop(
      RunFolder folder, Trainer trainer, Tokenizer tokenizer, Recipe recipe, PrintWriter out) {
    this.folder = folder;
    this.trainer = trainer;
    this.tokenizer = tokenizer;
    this.recipe = recipe;
    this.out = out;
    this.loss = new Average(Math.max(1, SMOOTHING_TOKENS / trainer.config().tokensPerStep()));
  }

  /// Runs to the last step, or until the user wants to stop.
  ///
  /// @param resume from the folder's checkpoint
  /// @param interrupts say when the user wants to stop
  /// @return the exit code
  int run(boolean resume, Interrupts interrupts) {
    if (resume) {
      Map<String, String> kept = Checkpoint.restore(folder.checkpoint(), trainer);
      best = Double.parseDouble(kept.getOrDefault("best", "Infinity"));
      folder.cutLosses(trainer.steps());
      say("resuming   behind step %d", trainer.steps());
    }
    folder.write(recipe);
    if (!steps(interrupts)) {
      return Failures.INTERRUPTED;
    }
    if (curve.size() > 1) {
      say("validation %.3f %s %.3f", curve.getFirst(), Sparkline.of(curve), curve.getLast());
    }
    say("best validation loss %.4f; the model is in %s", best, folder.path());
    say("try: ./quern generate --model %s", folder.path());
    return 0;
  }

  private void say(String line, Object... args) {
    out.println(String.format(Locale.ROOT, line, args));
    out.flush();
  }

  /// {@return whether all steps were taken}
  private boolean steps(Interrupts interrupts) {
    TrainingConfig c = trainer.config();
    int evaluateEvery = recipe.whole("evaluation.every");
    try (Progress bar = Progress.open("train", "steps", trainer.steps(), c.steps(), out)) {
      long since = System.nanoTime();
      long from = trainer.steps();
      while (!trainer.done()) {
        StepReport report = trainer.step();
        loss.add(report.loss());
        bar.to(trainer.steps());
        bar.message(String.format(Locale.ROOT, "loss %.3f", loss.value()));
        boolean stop = interrupts.requested();
        if (stop || trainer.done() || trainer.steps() % evaluateEvery == 0) {
          double seconds = (System.nanoTime() - since) * 1e-9;
          keep(report, (trainer.steps() - from) * c.tokensPerStep() / seconds, bar);
          since = System.nanoTime();
          from = trainer.steps();
        }
        if (stop) {
          bar.print(
              "stopped behind step %d; the same command with --resume goes on"
                  .formatted(trainer.steps()));
          return trainer.done();
        }
      }
    }
    return true;
  }

  /// Validates, writes the losses down, keeps the best model and a checkpoint.
  private void keep(StepReport last, double speed, Progress bar) {
    int batches = recipe.whole("evaluation.batches");
    double validation =
        batches > 0 ? trainer.validationEstimate(batches) : trainer.validationLoss();
    long step = trainer.steps();
    bar.print(
        String.format(
            Locale.ROOT,
            "step %,6d  train %.4f  validation %.4f  rate %.1e  %,.0f tokens/s",
            step,
            loss.value(),
            validation,
            last.learningRate(),
            speed));
    curve.add(validation);
    folder.addLosses(step, loss.value(), validation, last.learningRate(), speed);
    if (validation <= best) {
      best = validation;
      Map<String, String> notes =
          Map.of(
              "step", Long.toString(step),
              "validation_loss", String.format(Locale.ROOT, "%.4f", validation));
      DType storage = recipe.choice("output.storage", DType.class);
      ModelFolder.save(folder.path(), trainer.model(), tokenizer, storage, notes);
    }
    int characters = recipe.whole("evaluation.samples");
    if (characters > 0) {
      folder.addSample(step, sample(characters));
    }
    Checkpoint.save(folder.checkpoint(), trainer, Map.of("best", Double.toString(best)));
  }

  /// {@return how the model goes on from the start of the validation part}
  private String sample(int tokens) {
    int[] validation = trainer.data().validation();
    int[] prompt = Arrays.copyOf(validation, Math.min(PROMPT, trainer.model().context()));
    GenerationOptions options =
        GenerationOptions.DEFAULT
            .withMaxTokens(tokens)
            .withSeed(trainer.config().seed())
            .withOverflow(Overflow.SLIDE);
    try (InferenceModel model = InferenceModel.of(trainer.model())) {
      Generator generator = new Generator(model, tokenizer);
      return tokenizer.decode(prompt)
          + generator.generateIds(prompt, options, TokenListener.NONE).text();
    }
  }

  /// The mean of the last numbers.
  private static final class Average {
    private final double[] last;
    private int count;

    Average(long length) {
      last = new double[(int) Math.min(length, 100)];
    }

    void add(double value) {
      last[count++ % last.length] = value;
    }

    double value() {
      return Arrays.stream(last).limit(count).average().orElse(Double.NaN);
    }
  }
}
