package org.quern.tck;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.Backend;
import org.quern.flow.Tape;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;
import org.quern.tck.reference.ReferenceBackend;

/// Whole models on a backend: against PyTorch's numbers, where there are some, else against the
/// reference; by the tolerance rule, and on the reference itself to `1e-9`.
///
/// @param name what is checked
/// @param golden PyTorch's numbers, or null
/// @param computation what the backend does
record ModelCheck(
    String name,
    @Nullable Map<String, double[]> golden,
    Function<Backend, Map<String, double[]>> computation)
    implements Check {
  private static final int STEPS = 10;

  static List<Check> all() {
    List<Check> out = new ArrayList<>();
    for (String model : Golden.MODELS) {
      out.add(once(model, Tape.Recompute.NEVER));
    }
    out.add(once("banded", Tape.Recompute.BLOCKS));
    out.add(padded());
    out.add(goldenTrajectory());
    GptConfig small = GptConfig.gpt2(29, 12, 24, 2, 3).withDropout(0.1f);
    out.add(trajectory("GPT-2 with dropout", small));
    out.add(
        trajectory(
            "banded, separate, post-norm",
            small
                .with(GptConfig.NormPlacement.POST, GptConfig.Positions.SINUSOIDAL, Activation.RELU)
                .with(GptConfig.Unembedding.SEPARATE, GptConfig.Bias.NO)
                .withWindow(3)));
    return out;
  }

  private static Check once(String model, Tape.Recompute recompute) {
    Golden golden = Golden.load(model);
    ModelRun run = new ModelRun(golden.config(), golden.weights(), recompute);
    int[] ids = golden.ints("ids");
    int rows =
        model.equals("separate") ? 3 : model.equals("banded") || model.equals("wide") ? 1 : 2;
    var batch = new ModelRun.Batch(rows, ids, golden.ints("targets"));
    Map<String, double[]> expected = results(golden);
    String label = recompute == Tape.Recompute.NEVER ? "" : ", blocks recomputed";
    return new ModelCheck("model " + model + label, expected, b -> run.once(b, batch));
  }

  private static Map<String, double[]> results(Golden golden) {
    Map<String, double[]> expected = golden.startingWith("gradient/");
    expected.put("logits", golden.get("logits"));
    expected.put("loss", golden.get("loss"));
    return expected;
  }

  /// Short texts padded to the context give what each gives alone.
  private static Check padded() {
    Golden golden = Golden.load(Golden.PADDED);
    ModelRun run = new ModelRun(golden.config(), golden.weights(), Tape.Recompute.NEVER);
    int[] lengths = golden.ints("lengths");
    var batch = new ModelRun.Batch(lengths.length, golden.ints("ids"), golden.ints("targets"));
    return new ModelCheck(
        "model padded",
        results(golden),
        b -> {
          Map<String, double[]> found = run.once(b, batch);
          found.computeIfPresent("logits", (name, all) -> ownTokens(all, lengths, run.config()));
          return found;
        });
  }

  /// {@return the logits (B, S, V) of each text's first tokens, behind each other}
  private static double[] ownTokens(double[] logits, int[] lengths, GptConfig config) {
    int v = config.vocabulary();
    double[] out = new double[Arrays.stream(lengths).sum() * v];
    int at = 0;
    for (int b = 0; b < lengths.length; b++) {
      System.arraycopy(logits, b * config.context() * v, out, at, lengths[b] * v);
      at += lengths[b] * v;
    }
    return out;
  }

  private static Check goldenTrajectory() {
    Golden golden = Golden.load(Golden.TRAJECTORY);
    ModelRun run = new ModelRun(golden.config(), golden.weights(), Tape.Recompute.NEVER);
    List<ModelRun.Batch> batches = new ArrayList<>();
    for (int i = 0; i < STEPS; i++) {
      batches.add(new ModelRun.Batch(2, golden.ints("ids/" + i), golden.ints("targets/" + i)));
    }
    double[] rates = golden.get("rates");
    float[] rate = new float[rates.length];
    for (int i = 0; i < rate.length; i++) {
      rate[i] = (float) rates[i];
    }
    double[] betas = golden.get("betas");
    AdamWSpec optimizer =
        new AdamWSpec(
            0,
            (float) betas[0],
            (float) betas[1],
            (float) golden.get("epsilon")[0],
            (float) golden.get("decay")[0],
            1,
            1);
    var plan = new ModelRun.Plan(rate, optimizer, golden.get("clip")[0]);
    Map<String, double[]> expected = new LinkedHashMap<>();
    expected.put("losses", golden.get("losses"));
    expected.put("norms", golden.get("norms"));
    expected.put("weights", finalWeights(golden, run));
    return new ModelCheck("trajectory AdamW", expected, b -> run.train(b, batches, plan));
  }

  /// {@return PyTorch's final weights in the order of the model's parameters}
  private static double[] finalWeights(Golden golden, ModelRun run) {
    List<double[]> parts = new ArrayList<>();
    try (Backend reference = new ReferenceBackend();
        var model = new org.quern.gpt.Gpt(reference, run.config(), run.source())) {
      for (Parameter p : model.parameters().all()) {
        parts.add(golden.get("final/" + p.name()));
      }
    }
    return parts.stream().flatMapToDouble(Arrays::stream).toArray();
  }

  private static Check trajectory(String label, GptConfig config) {
    SplittableRandom random = new SplittableRandom(label.hashCode());
    List<ModelRun.Batch> batches = new ArrayList<>();
    for (int i = 0; i < STEPS; i++) {
      int[] ids = random.ints(2L * config.context(), 0, config.vocabulary()).toArray();
      int[] targets = random.ints(2L * config.context(), 0, config.vocabulary()).toArray();
      targets[i] = ModelRun.IGNORE;
      batches.add(new ModelRun.Batch(2, ids, targets));
    }
    float[] rates = new float[STEPS];
    Arrays.fill(rates, 1e-2f);
    AdamWSpec optimizer = new AdamWSpec(0, 0.9f, 0.95f, 1e-6f, 0.1f, 1, 1);
    var plan = new ModelRun.Plan(rates, optimizer, 1);
    ModelRun run = new ModelRun(config, ParameterSource.random(42), Tape.Recompute.NEVER);
    return new ModelCheck("trajectory " + label, null, b -> run.train(b, batches, plan));
  }

  private Expected expected(Backend backend) {
    Function<Backend, Expected.Results> results =
        b -> new Expected.Results(computation.apply(b), Map.of());
    if (golden == null) {
      return Expected.of(name, OpCase.Precision.ROUNDED, results);
    }
    return backend instanceof ReferenceBackend reference && reference.exact()
        ? Expected.tight(golden)
        : Expected.known(name, golden, results);
  }

  @Override
  public Outcome run(Backend backend) {
    long before = backend.pool().stats().inUse();
    Expected.Verdict verdict = expected(backend).compare(computation.apply(backend));
    long leaked = backend.pool().stats().inUse() - before;
    if (verdict.problem() != null) {
      return Outcome.failed(this, verdict.worst(), verdict.problem());
    }
    return leaked == 0
        ? Outcome.passed(this, verdict.worst())
        : Outcome.failed(this, verdict.worst(), leaked + " bytes were not given back");
  }

  @Override
  public String toString() {
    return name;
  }
}
