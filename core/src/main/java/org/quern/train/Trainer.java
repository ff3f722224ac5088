package org.quern.train;

import java.util.List;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Philox;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Gradients;
import org.quern.flow.PreparedWeights;
import org.quern.flow.Tape;
import org.quern.gpt.LanguageModel;

/// Trains a model step by step: random windows of the text, cross entropy, AdamW with warm-up,
/// cosine and clipping.
///
/// Deterministic: model, tokens, configuration and step number decide everything, so that a run
/// restored from a [Checkpoint] goes on bit for bit.
public final class Trainer implements AutoCloseable {
  private static final int SEED_STREAM = 7;

  private final LanguageModel model;
  private final TrainingConfig config;
  private final TokenSplit data;
  private final Backend backend;
  private final Scope scope;
  private final Gradients gradients;
  private final Optimizer optimizer;
  private final Batches batches;
  private final int[] ids;
  private final int[] targets;
  private long step;

  /// Starts a run at step 0.
  ///
  /// @param model what to train; closing the trainer leaves it open
  /// @param config how
  /// @param data on what
  /// @throws IllegalArgumentException if the data does not fit the model or the context
  public Trainer(LanguageModel model, TrainingConfig config, TokenSplit data) {
    if (config.context() > model.context()) {
      throw new IllegalArgumentException(
          "training: the context of %d tokens is longer than the model's %d"
              .formatted(config.context(), model.context()));
    }
    checkTokens(data.train(), model.vocabulary());
    checkTokens(data.validation(), model.vocabulary());
    this.model = model;
    this.config = config;
    this.data = data;
    this.backend = model.backend();
    this.batches = new Batches(data.train(), config.batch(), config.context(), config.seed());
    this.ids = new int[Math.multiplyExact(config.batch(), config.context())];
    this.targets = new int[ids.length];
    this.scope = backend.open("trainer");
    try {
      this.gradients = new Gradients(model.parameters().tensors(), scope);
      this.optimizer = new Optimizer(backend, model.parameters().all(), scope);
    } catch (Throwable e) {
      scope.close();
      throw e;
    }
  }

  private static void checkTokens(int[] tokens, int vocabulary) {
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] < 0 || tokens[i] >= vocabulary) {
        throw new IllegalArgumentException(
            "training: token %d is %d, but the model's vocabulary has %d"
                .formatted(i, tokens[i], vocabulary));
      }
    }
  }

  /// Takes one step.
  ///
  /// @return what it did
  /// @throws ArithmeticException if loss or gradient is not finite; the parameters are then as they
  ///   were before the step
  public StepReport step() {
    double loss = 0;
    gradients.reset();
    for (int micro = 0; micro < config.accumulation(); micro++) {
      loss += microBatch(step * config.accumulation() + micro) / config.accumulation();
    }
    gradients.completeWithZeros(backend);
    double norm = optimizer.norm(gradients);
    if (!Double.isFinite(loss) || !Double.isFinite(norm)) {
      throw new ArithmeticException(
          ("training diverged at step %d: loss %s, gradient norm %s; use a lower learning rate, a"
                  + " longer warm-up or a smaller clip")
              .formatted(step, loss, norm));
    }
    double clip = config.clip();
    float scale = clip > 0 && norm > clip ? (float) (clip / norm) : 1;
    optimizer.step(gradients, config, step, scale);
    return new StepReport(step++, loss, norm, config.rate(step - 1));
  }

  /// {@return the mean loss of one micro-batch, whose gradients are added}
  private double microBatch(long number) {
    batches.fill(number, ids, targets);
    int b = config.batch();
    int t = config.context();
    try (Scope work = backend.open("training step")) {
      Tensor x = work.allocate(DType.I32, Shape.of(b, t));
      Tensor y = work.allocate(DType.I32, Shape.of(b, t));
      Tensor positions = work.allocate(DType.I32, Shape.of(b));
      backend.upload(x, ids);
      backend.upload(y, targets);
      backend.upload(positions, new int[b]);
      Tape tape = new Tape(backend, work, gradients, config.recompute(), seedOf(number));
      Tensor logits = model.unembed(tape, model.hidden(tape, x, positions, null)); // (B, T, V)
      float scale = (float) (1.0 / ((double) b * t * config.accumulation()));
      Tensor losses = tape.crossEntropy(logits, y, Evaluator.IGNORE, scale);
      tape.backward();
      double sum = 0;
      for (float loss : backend.floats(losses)) {
        sum += loss;
      }
      return sum / ((double) b * t);
    }
  }

  private long seedOf(long number) {
    int[] words = new int[4];
    Philox.block(words, config.seed(), number, (long) SEED_STREAM << 34);
    return Integer.toUnsignedLong(words[0]) | (long) words[1] << 32;
  }

  /// {@return the loss over all tokens of the validation part, without dropout}
  public double validationLoss() {
    return Evaluator.evaluate(
            model,
            PreparedWeights.NONE,
            data.validation(),
            config.context(),
            config.batch(),
            done -> {})
        .loss();
  }

  /// {@return an estimate of the loss from random windows of the validation part, other ones after
  /// each step, without dropout}
  ///
  /// @param batches how many, positive
  public double validationEstimate(int batches) {
    return Evaluator.estimate(
            model,
            PreparedWeights.NONE,
            data.validation(),
            config.context(),
            config.batch(),
            batches,
            seedOf(-1 - step))
        .loss();
  }

  /// {@return the number of steps taken}
  public long steps() {
    return step;
  }

  /// {@return whether all steps of the configuration are taken}
  public boolean done() {
    return step >= config.steps();
  }

  /// {@return how}
  public TrainingConfig config() {
    return config;
  }

  /// {@return what is trained}
  public LanguageModel model() {
    return model;
  }

  /// {@return on what}
  public TokenSplit data() {
    return data;
  }

  List<Optimizer.Moments> moments() {
    return optimizer.moments();
  }

  void continueFrom(long taken) {
    step = taken;
  }

  /// Frees gradients and moments. Closing twice is harmless.
  @Override
  public void close() {
    scope.close();
  }
}
