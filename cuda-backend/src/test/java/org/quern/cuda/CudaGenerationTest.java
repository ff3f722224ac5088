package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Precision;
import org.quern.core.Settings;
import org.quern.core.Tensor;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;
import org.quern.tck.generation.GeneratorContract;
import org.quern.tck.generation.InspectionContract;
import org.quern.tck.generation.SessionContract;

@ExtendWith(NothingLeft.class)
class CudaGenerationTest {
  private static final int TOKENS = 200;

  private static Backend cuda(Precision precision) {
    return Present.backend(
        Settings.load().withDebug(true).withPrecision(precision), Present.options());
  }

  @Nested
  class Sessions extends SessionContract {
    @Override
    protected Backend open() {
      return cuda(Precision.F32);
    }
  }

  @Nested
  class Inspections extends InspectionContract {
    @Override
    protected Backend open() {
      return cuda(Precision.F32);
    }
  }

  /// The cache gives what recomputing gives, however the weights are held.
  @Nested
  class HalfWeights extends SessionContract {
    @Override
    protected Backend open() {
      return cuda(Precision.BF16);
    }
  }

  @Nested
  class EightBitWeights extends SessionContract {
    @Override
    protected Backend open() {
      return cuda(Precision.Q8);
    }
  }

  @Nested
  class Generators extends GeneratorContract {
    @Override
    protected Backend open() {
      return cuda(Precision.F32);
    }
  }

  /// Weights that are ten times larger than a new model's: its text is not always the same token.
  private static void large(Parameter parameter, Backend backend) {
    float[] values = backend.floats(filledAtRandom(parameter, backend));
    for (int i = 0; parameter.decays() && i < values.length; i++) {
      values[i] *= 10;
    }
    backend.upload(parameter.tensor(), values);
  }

  private static Tensor filledAtRandom(Parameter parameter, Backend backend) {
    ParameterSource.random(7).fill(parameter, backend);
    return parameter.tensor();
  }

  /// The most likely tokens, one after the other, and how much each was ahead of the next best.
  ///
  /// @param ids of the tokens
  /// @param margin the smallest distance of the two highest logits
  private record Greedy(List<Integer> ids, double margin) {
    static Greedy of(Backend backend) {
      GptConfig config = GptConfig.gpt2(61, 256, 32, 2, 4);
      try (InferenceModel model =
              InferenceModel.owning(new Gpt(backend, config, CudaGenerationTest::large));
          Session session = model.open(1)) {
        List<Integer> ids = new ArrayList<>();
        double margin = Double.POSITIVE_INFINITY;
        float[] logits = session.prefill(new int[] {3, 1, 4, 1, 5})[0];
        for (int i = 0; i < TOKENS; i++) {
          int best = 0;
          for (int j = 1; j < logits.length; j++) {
            best = logits[j] > logits[best] ? j : best;
          }
          float[] sorted = logits.clone();
          Arrays.sort(sorted);
          margin = Math.min(margin, sorted[60] - sorted[59]);
          ids.add(best);
          logits = session.step(best)[0];
        }
        return new Greedy(ids, margin);
      }
    }
  }

  @Test
  void twoHundredTokensAreThoseOfTheCpu() {
    Greedy expected;
    Greedy found;
    try (Backend cpu = Backends.open(Settings.load().withBackend("cpu").withThreads(1))) {
      expected = Greedy.of(cpu);
    }
    try (Backend cuda = cuda(Precision.F32)) {
      found = Greedy.of(cuda);
    }
    assertEquals(expected.ids, found.ids);
    assertTrue(expected.ids.stream().distinct().count() > 5, expected.ids.toString());
    assertTrue(expected.margin > 1e-5, "a tie would be decided by chance: " + expected.margin);
  }
}
