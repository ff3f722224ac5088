package org.quern.bench;

import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;

/// What benchmarks of inference share: a model with random parameters and a session.
@State(Scope.Benchmark)
public abstract class ModelBenchmark extends DeviceBenchmark {
  /// `gpt2`, `small` or `toy`.
  @Param("gpt2")
  public String model = "toy";

  /// How weights are held: `f32`, and what else the backend offers.
  @Param("f32")
  public String precision = "f32";

  /// T, the tokens that the last one sees, itself among them.
  @Param({"128", "512", "1024"})
  public int context = 128;

  private @Nullable Gpt gpt;
  private @Nullable InferenceModel inference;
  private @Nullable Session session;

  /// For subclasses.
  protected ModelBenchmark() {}

  /// {@return whether the backend offers the precision, and the model the context}
  static boolean offered(Machine machine, Study.Point point) {
    return machine.offers(Study.precision(point.get("precision")))
        && point.number("context") <= Models.config(point.get("model")).context();
  }

  /// Makes the model and checks a tiny one.
  final void openModel() {
    Backend device = open(Study.precision(precision));
    Models.verifyInference(device, Study.precision(precision));
    gpt = new Gpt(device, config(), ParameterSource.random(Models.SEED));
    inference = InferenceModel.of(gpt);
    session = inference.open(1, context);
  }

  /// {@return the numbers of the model}
  final GptConfig config() {
    return Models.config(model);
  }

  /// {@return a session of one text and T tokens}
  final Session session() {
    return require(session);
  }

  /// {@return a prompt}
  final int[] prompt(int length) {
    return Inputs.tokens(length, config().vocabulary(), Models.SEED);
  }

  /// {@return bytes of all weights that are read for a pass}
  final double weightBytes() {
    Precision p = Study.precision(precision);
    return Study.bytes(p) * (Models.linearWeights(config()) + Models.unembedding(config()));
  }

  /// {@return bytes of keys and values of some tokens}
  final double cacheBytes(double tokens) {
    return 2.0 * Float.BYTES * config().layers() * config().width() * tokens;
  }

  @Override
  final void closeParts() {
    if (session != null) {
      session.close();
      session = null;
    }
    if (inference != null) {
      inference.close();
      inference = null;
    }
    if (gpt != null) {
      gpt.close();
      gpt = null;
    }
  }
}
