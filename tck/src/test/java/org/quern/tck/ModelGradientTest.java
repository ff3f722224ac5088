package org.quern.tck;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.core.Activation;
import org.quern.flow.Tape;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;
import org.quern.tck.reference.ReferenceBackend;

/// Gradients of whole models against finite differences in float64, along random directions: a
/// wrong element of a gradient shows in every direction but those orthogonal to its error.
class ModelGradientTest {
  private static final int DIRECTIONS = 2;

  static Stream<Arguments> models() {
    GptConfig gpt2 = GptConfig.gpt2(11, 6, 12, 2, 3);
    GptConfig separate = gpt2.with(GptConfig.Unembedding.SEPARATE, GptConfig.Bias.NO);
    GptConfig post =
        gpt2.with(GptConfig.NormPlacement.POST, GptConfig.Positions.SINUSOIDAL, Activation.RELU);
    return Stream.of(
            Map.entry("pre-norm, tied, bias", gpt2),
            Map.entry("separate, no bias", separate),
            Map.entry("post-norm, sinusoidal, relu", post),
            Map.entry(
                "post-norm, learned, exact gelu, no bias",
                separate.with(
                    GptConfig.NormPlacement.POST,
                    GptConfig.Positions.LEARNED,
                    Activation.GELU_ERF)),
            Map.entry("banded", gpt2.withWindow(2)),
            Map.entry("banded of one", post.withWindow(1)),
            Map.entry("dropout", gpt2.withDropout(0.2f)),
            Map.entry("dropout, post-norm, banded", post.withDropout(0.3f).withWindow(3)))
        .map(e -> Arguments.of(e.getKey(), e.getValue()));
  }

  private static ModelRun.Batch batch(GptConfig c) {
    SplittableRandom random = new SplittableRandom(5);
    int[] ids = random.ints(2L * c.context(), 0, c.vocabulary()).toArray();
    int[] targets = random.ints(2L * c.context(), 0, c.vocabulary()).toArray();
    targets[3] = ModelRun.IGNORE;
    return new ModelRun.Batch(2, ids, targets);
  }

  /// Weights so large that nothing is nearly linear or uniform.
  private static final ParameterSource WEIGHTS =
      (p, backend) -> {
        SplittableRandom random = new SplittableRandom(p.name().hashCode());
        double[] values = new double[Math.toIntExact(p.tensor().elements())];
        for (int i = 0; i < values.length; i++) {
          values[i] = p.init().mean() + 0.3 * random.nextGaussian();
        }
        Host.write(backend, p.tensor(), values);
      };

  @ParameterizedTest(name = "{0}")
  @MethodSource("models")
  void gradientsAreThoseOfFiniteDifferences(String name, GptConfig config) {
    ModelRun.Batch batch = batch(config);
    try (ReferenceBackend reference = new ReferenceBackend()) {
      ModelRun run = new ModelRun(config, WEIGHTS, Tape.Recompute.NEVER);
      Map<String, double[]> known = run.once(reference, batch);
      SplittableRandom random = new SplittableRandom(9);
      try (Gpt model = new Gpt(reference, config, WEIGHTS)) {
        for (Parameter p : model.parameters().all()) {
          for (int k = 0; k < DIRECTIONS; k++) {
            double[] direction = new double[Math.toIntExact(p.tensor().elements())];
            Arrays.setAll(direction, i -> random.nextGaussian());
            double quotient =
                FiniteDifferences.along(
                    reference, p.tensor(), direction, x -> run.loss(model, batch));
            double slope = inner(known.get("gradient/" + p.name()), direction);
            double allowed = FiniteDifferences.TOLERANCE * Math.max(1, Math.abs(quotient));
            assertEquals(quotient, slope, allowed, p.name());
          }
        }
      }
      assertEquals(0, reference.pool().stats().inUse());
    }
  }

  private static double inner(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("models")
  void recomputedBlocksGiveTheSameBits(String name, GptConfig config) {
    ModelRun.Batch batch = batch(config);
    try (ReferenceBackend reference = new ReferenceBackend()) {
      var kept = new ModelRun(config, WEIGHTS, Tape.Recompute.NEVER).once(reference, batch);
      var again = new ModelRun(config, WEIGHTS, Tape.Recompute.BLOCKS).once(reference, batch);
      assertEquals(kept.keySet(), again.keySet());
      kept.forEach((k, x) -> assertArrayEquals(x, again.get(k), k));
      assertEquals(0, reference.pool().stats().inUse());
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("models")
  void everyParameterLearns(String name, GptConfig config) {
    try (ReferenceBackend reference = new ReferenceBackend()) {
      Map<String, double[]> out =
          new LinkedHashMap<>(
              new ModelRun(config, WEIGHTS, Tape.Recompute.NEVER).once(reference, batch(config)));
      out.keySet().removeIf(k -> !k.startsWith("gradient/"));
      out.forEach((k, g) -> assertTrue(Arrays.stream(g).anyMatch(x -> Math.abs(x) > 1e-12), k));
    }
  }
}
