package org.quern.tck;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.quern.core.AdamWSpec;
import org.quern.core.Backend;
import org.quern.flow.Tape;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;

/// Steps of training of a small GPT, for two backends to be compared with each other.
public final class Trajectory {
  private static final float RATE = 1e-2f;

  private final ModelRun run;
  private final List<ModelRun.Batch> batches = new ArrayList<>();
  private final ModelRun.Plan plan;

  /// Makes the batches: the same ones for the same number of steps.
  ///
  /// @param steps how many, positive
  public Trajectory(int steps) {
    GptConfig config = GptConfig.gpt2(29, 12, 24, 2, 3).withDropout(0.1f);
    run = new ModelRun(config, ParameterSource.random(42), Tape.Recompute.NEVER);
    SplittableRandom random = new SplittableRandom(steps);
    long tokens = 2L * config.context();
    for (int i = 0; i < steps; i++) {
      int[] ids = random.ints(tokens, 0, config.vocabulary()).toArray();
      int[] targets = random.ints(tokens, 0, config.vocabulary()).toArray();
      batches.add(new ModelRun.Batch(2, ids, targets));
    }
    float[] rates = new float[steps];
    Arrays.fill(rates, RATE);
    plan = new ModelRun.Plan(rates, new AdamWSpec(0, 0.9f, 0.95f, 1e-6f, 0.1f, 1, 1), 1);
  }

  private Map<String, double[]> train(Backend backend) {
    return run.train(backend, batches, plan);
  }

  /// {@return the loss before each step}
  ///
  /// @param backend where to train; its memory is as before, afterwards
  public double[] losses(Backend backend) {
    double[] losses = train(backend).get("losses");
    if (losses == null) {
      throw new IllegalStateException("a run without losses");
    }
    return losses;
  }

  /// {@return how far a loss may be from another backend's: the kit allows each a distance from
  /// float64, and two of them are apart by both distances at most}
  public double allowed() {
    Expected expected =
        Expected.of(
            "trajectory of %d steps".formatted(batches.size()),
            OpCase.Precision.ROUNDED,
            backend -> new Expected.Results(train(backend), Map.of()));
    Tolerance one = expected.tolerances().get("losses");
    if (one == null) {
      throw new IllegalStateException("a run without losses");
    }
    return 2 * one.bound();
  }
}
