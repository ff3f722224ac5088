package org.quern.bench;

import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/// Decoding: token by token, one text, with a cache. Of a run of 16 tokens, the last sees T.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class DecodeBenchmark extends ModelBenchmark {
  private static final int TOKENS = 16;

  /// Which points to measure.
  public static final Study STUDY =
      new Study(
          "decode",
          "Decoding, token by token",
          ("A call decodes %d tokens of one text; the last of them sees T. Random parameters"
               + " (`gpt2`: 124 million, `small`: 2.9 million). Bytes: all weights and the cache,"
               + " once a token. Memory: all of the device's, with the weights.")
              .formatted(TOKENS),
          DecodeBenchmark.class,
          List.of(
              Study.facet("model", "gpt2").or("small", "toy"),
              Study.x("context", "128", "256", "512", "1024"),
              Study.series("precision", "f32", "bf16", "f16", "q8").or()),
          ModelBenchmark::offered);

  private int[] prompt = {};

  /// For JMH.
  public DecodeBenchmark() {}

  /// Makes model and prompt.
  @Setup(Level.Trial)
  public void open() {
    if (context <= TOKENS) {
      throw new IllegalArgumentException(
          "context must be above %d, found %d".formatted(TOKENS, context));
    }
    openModel();
    prompt = prompt(context - TOKENS);
    fill();
    decode();
    double seen = context - (TOKENS - 1) / 2.0; // in the middle of the run
    double weights = Models.linearWeights(config()) + Models.unembedding(config());
    WorkProfiler.tell(
        new Work(
            TOKENS * (2 * weights + Models.attention(config(), seen)),
            TOKENS * (weightBytes() + cacheBytes(seen)),
            TOKENS,
            device().pool().stats().peak()));
  }

  /// Runs the prompt, which is not timed.
  @Setup(Level.Invocation)
  public void fill() {
    session().prefill(prompt);
  }

  /// Decodes.
  ///
  /// @return a logit
  @Benchmark
  public float decode() {
    float last = 0;
    for (int i = 0; i < TOKENS; i++) {
      last = session().step(prompt[i % prompt.length])[0][0];
    }
    return last;
  }
}
