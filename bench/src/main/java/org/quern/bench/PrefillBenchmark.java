package org.quern.bench;

import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.quern.gpt.GptConfig;

/// Prefill: a prompt of T tokens in one pass, up to the logits behind it.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class PrefillBenchmark extends ModelBenchmark {
  /// Which points to measure.
  public static final Study STUDY =
      new Study(
          "prefill",
          "Prefill of a prompt",
          "A prompt of T tokens in one pass, up to the logits behind it. Random parameters (`gpt2`:"
              + " 124 million, `small`: 2.9 million). Bytes: all weights and the cache once."
              + " Memory: all of the device's, with the weights.",
          PrefillBenchmark.class,
          List.of(
              Study.facet("model", "gpt2").or("small", "toy"),
              Study.x("context", "128", "256", "512", "1024"),
              Study.series("precision", "f32", "bf16", "f16", "q8").or()),
          ModelBenchmark::offered);

  private int[] prompt = {};

  /// For JMH.
  public PrefillBenchmark() {}

  /// Makes model and prompt.
  @Setup(Level.Trial)
  public void open() {
    openModel();
    prompt = prompt(context);
    prefill();
    GptConfig c = config();
    double t = context;
    WorkProfiler.tell(
        new Work(
            2 * t * Models.linearWeights(c)
                + 2 * Models.unembedding(c)
                + t * Models.attention(c, t / 2),
            weightBytes() + cacheBytes(t),
            t,
            device().pool().stats().peak()));
  }

  /// Runs the prompt.
  ///
  /// @return a logit
  @Benchmark
  public float prefill() {
    return session().prefill(prompt)[0][0];
  }
}
