package org.quern.bench;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;
import org.quern.train.Trainer;

/// A training step of one text of T tokens: forward, backward, clipping, AdamW.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class TrainStepBenchmark extends DeviceBenchmark {
  /// Which points to measure.
  public static final Study STUDY =
      new Study(
          "train",
          "A training step",
          "Forward, backward, clipping and AdamW of one text of T tokens, f32, random parameters"
              + " (`gpt2`: 124 million, `small`: 2.9 million). GFLOP: 6 a weight and token, 3.5"
              + " times the forward for attention. Bytes: parameters, gradients and moments as"
              + " AdamW moves them, and the weights twice. Memory: all of the device's.",
          TrainStepBenchmark.class,
          List.of(Study.series("model", "gpt2").or("small", "toy"), Study.x("context", "256")),
          (machine, point) ->
              point.number("context") <= Models.config(point.get("model")).context());

  /// Numbers that AdamW reads and writes of each parameter: 4 and 3; and the weights of forward and
  /// backward.
  private static final int MOVED = 9;

  /// `gpt2`, `small` or `toy`.
  @Param("gpt2")
  public String model = "toy";

  /// T, the tokens of a step.
  @Param("256")
  public int context = 256;

  private @Nullable Gpt gpt;
  private @Nullable Trainer trainer;

  /// For JMH.
  public TrainStepBenchmark() {}

  /// Makes the model and checks a tiny one.
  @Setup(Level.Trial)
  public void open() {
    Backend device = open(Precision.F32);
    Models.verifyTraining(device);
    GptConfig c = Models.config(model);
    Gpt made = new Gpt(device, c, ParameterSource.random(Models.SEED));
    gpt = made;
    trainer = new Trainer(made, Models.training(context), Models.data(c, context));
    step();
    double t = context;
    double weights = Models.linearWeights(c) + Models.unembedding(c);
    WorkProfiler.tell(
        new Work(
            6 * t * weights + 3.5 * t * Models.attention(c, t / 2),
            (double) MOVED * Float.BYTES * made.parameters().count(),
            t,
            device.pool().stats().peak()));
  }

  /// Takes a step and waits for it.
  ///
  /// @return the loss
  @Benchmark
  public double step() {
    double loss = require(trainer).step().loss();
    device().sync();
    return loss;
  }

  @Override
  void closeParts() {
    if (trainer != null) {
      trainer.close();
      trainer = null;
    }
    if (gpt != null) {
      gpt.close();
      gpt = null;
    }
  }
}
