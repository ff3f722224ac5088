package org.quern.train;

import org.quern.flow.Tape.Recompute;

/// The numbers of a training run. [#DEFAULT] is a start; withers change single ones.
///
/// @param steps how many optimizer steps
/// @param batch B, the examples of a micro-batch
/// @param accumulation micro-batches a step; their gradients are averaged
/// @param context T, the tokens of an example
/// @param learningRate the highest, reached after the warm-up
/// @param minimumRate the lowest, reached at the last step by a half cosine
/// @param warmup steps in which the rate rises linearly
/// @param beta1 AdamW's decay of the first moment
/// @param beta2 AdamW's decay of the second moment
/// @param epsilon AdamW's term under the division
/// @param weightDecay AdamW's decay, of matrices only
/// @param clip the largest global norm of the gradient; 0 for any
/// @param recompute whether activations are computed twice to save memory
/// @param seed of batches and dropout
public record TrainingConfig(
    int steps,
    int batch,
    int accumulation,
    int context,
    float learningRate,
    float minimumRate,
    int warmup,
    float beta1,
    float beta2,
    float epsilon,
    float weightDecay,
    float clip,
    Recompute recompute,
    long seed) {
  /// nanoGPT's small recipe for characters on a CPU.
  public static final TrainingConfig DEFAULT =
      new TrainingConfig(
          2000, 12, 1, 64, 1e-3f, 1e-4f, 100, 0.9f, 0.99f, 1e-8f, 0.1f, 1f, Recompute.NEVER, 1337);

  /// Checks the numbers.
  ///
  /// @throws IllegalArgumentException if one is out of range, naming it
  public TrainingConfig {
    require(steps > 0, "steps must be positive", steps);
    require(batch > 0, "batch must be positive", batch);
    require(accumulation > 0, "accumulation must be positive", accumulation);
    require(context > 0, "context must be positive", context);
    require(learningRate > 0 && learningRate < 10, "learningRate must be in (0, 10)", learningRate);
    require(
        minimumRate >= 0 && minimumRate <= learningRate,
        "minimumRate must be from 0 to the learning rate",
        minimumRate);
    require(warmup >= 0, "warmup must not be negative", warmup);
    require(beta1 >= 0 && beta1 < 1, "beta1 must be in [0, 1)", beta1);
    require(beta2 >= 0 && beta2 < 1, "beta2 must be in [0, 1)", beta2);
    require(epsilon > 0, "epsilon must be positive", epsilon);
    require(weightDecay >= 0, "weightDecay must not be negative", weightDecay);
    require(clip >= 0, "clip must not be negative", clip);
  }

  private static void require(boolean ok, String rule, Number found) {
    if (!ok) {
      throw new IllegalArgumentException("training: %s, found %s".formatted(rule, found));
    }
  }

  /// {@return the learning rate of a step: linear warm-up, then a half cosine (arXiv:1608.03983)
  /// down to the minimum}
  ///
  /// @param step from 0
  public float rate(long step) {
    if (step < warmup) {
      return learningRate * (step + 1) / (warmup + 1);
    }
    if (step >= steps) {
      return minimumRate;
    }
    double done = (double) (step - warmup) / Math.max(1, steps - warmup);
    double cosine = 0.5 * (1 + Math.cos(Math.PI * done));
    return (float) (minimumRate + cosine * (learningRate - minimumRate));
  }

  /// {@return the tokens of one optimizer step}
  public long tokensPerStep() {
    return (long) batch * accumulation * context;
  }

  /// {@return these numbers with other sizes}
  ///
  /// @param steps optimizer steps
  /// @param batch examples of a micro-batch
  /// @param accumulation micro-batches a step
  /// @param context tokens of an example
  public TrainingConfig withSizes(int steps, int batch, int accumulation, int context) {
    return new TrainingConfig(
        steps,
        batch,
        accumulation,
        context,
        learningRate,
        minimumRate,
        warmup,
        beta1,
        beta2,
        epsilon,
        weightDecay,
        clip,
        recompute,
        seed);
  }

  /// {@return these numbers with another schedule}
  ///
  /// @param learningRate the highest
  /// @param minimumRate the lowest
  /// @param warmup steps of the rise
  public TrainingConfig withRate(float learningRate, float minimumRate, int warmup) {
    return new TrainingConfig(
        steps,
        batch,
        accumulation,
        context,
        learningRate,
        minimumRate,
        warmup,
        beta1,
        beta2,
        epsilon,
        weightDecay,
        clip,
        recompute,
        seed);
  }

  /// {@return these numbers with other regularization}
  ///
  /// @param weightDecay of matrices
  /// @param clip the largest global norm; 0 for any
  /// @param beta2 the decay of the second moment
  public TrainingConfig withRegularization(float weightDecay, float clip, float beta2) {
    return new TrainingConfig(
        steps,
        batch,
        accumulation,
        context,
        learningRate,
        minimumRate,
        warmup,
        beta1,
        beta2,
        epsilon,
        weightDecay,
        clip,
        recompute,
        seed);
  }

  /// {@return these numbers with another treatment of activations}
  ///
  /// @param value whether they are computed twice
  public TrainingConfig withRecompute(Recompute value) {
    return new TrainingConfig(
        steps,
        batch,
        accumulation,
        context,
        learningRate,
        minimumRate,
        warmup,
        beta1,
        beta2,
        epsilon,
        weightDecay,
        clip,
        value,
        seed);
  }

  /// {@return these numbers with another seed}
  ///
  /// @param value of batches and dropout
  public TrainingConfig withSeed(long value) {
    return new TrainingConfig(
        steps,
        batch,
        accumulation,
        context,
        learningRate,
        minimumRate,
        warmup,
        beta1,
        beta2,
        epsilon,
        weightDecay,
        clip,
        recompute,
        value);
  }
}
