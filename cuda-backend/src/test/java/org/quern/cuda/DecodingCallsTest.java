package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.core.Settings;
import org.quern.generate.GenerationOptions;
import org.quern.generate.Generator;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.generate.TokenListener;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.ParameterSource;
import org.quern.kernels.DeviceBackend;

/// How many calls of the driver a token takes.
@ExtendWith(NothingLeft.class)
class DecodingCallsTest {
  private static final int WARM_UP = 4; // tokens until the graph is there
  private static final int TOKENS = 50;

  private final Emulator emulator = Emulator.load();

  private static DeviceBackend open(boolean graphs, Precision precision) {
    Settings settings = Settings.load().withPrecision(precision);
    return Present.backend(settings, Present.options().withGraphs(graphs));
  }

  private static InferenceModel model(Backend backend) {
    GptConfig config = GptConfig.gpt2(29, 96, 32, 2, 4);
    return InferenceModel.owning(new Gpt(backend, config, ParameterSource.random(11)));
  }

  /// {@return logits of the tokens, and the calls that each of them took, at the end}
  private List<float[]> decode(InferenceModel model, int tokens, long most) {
    List<float[]> out = new ArrayList<>();
    try (Session session = model.open(1)) {
      out.add(session.prefill(new int[] {1, 2, 3})[0].clone());
      for (int i = 0; i < tokens; i++) {
        long before = emulator.calls();
        out.add(session.step(i % 29)[0].clone());
        long calls = emulator.calls() - before;
        if (i >= WARM_UP) {
          assertTrue(
              calls <= most, "token %d: %d calls%n%s".formatted(i, calls, emulator.callTable()));
        }
      }
    }
    return out;
  }

  @Test
  void aTokenTakesThreeCallsAndTheLogitsAreTheSame() {
    for (Precision precision : Precision.values()) {
      emulator.reset();
      List<float[]> expected;
      List<float[]> found;
      try (Backend backend = open(false, precision);
          InferenceModel model = model(backend)) {
        expected = decode(model, TOKENS, 1000);
        assertTrue(emulator.calls("cuLaunchKernel") > 10 * TOKENS, emulator.callTable());
        assertEquals(0, emulator.calls("cuGraphLaunch"));
      }
      emulator.reset();
      try (Backend backend = open(true, precision);
          InferenceModel model = model(backend)) {
        found = decode(model, TOKENS, 3);
        assertTrue(emulator.calls("cuGraphLaunch") >= TOKENS - WARM_UP, emulator.callTable());
      }
      for (int i = 0; i < expected.size(); i++) {
        assertArrayEquals(expected.get(i), found.get(i));
      }
    }
  }

  private static List<Integer> generate(InferenceModel model) {
    GenerationOptions options = GenerationOptions.DEFAULT.withMaxTokens(TOKENS).withSeed(5);
    return new Generator(model)
        .generateIds(new int[] {4, 5}, options, event -> TokenListener.Next.CONTINUE)
        .ids();
  }

  @Test
  void aGeneratorGivesTheSameTextWithGraphsAndWithout() {
    List<Integer> expected;
    try (Backend backend = open(false, Precision.F32);
        InferenceModel model = model(backend)) {
      expected = generate(model);
    }
    assertEquals(0, emulator.calls("cuGraphLaunch"));
    try (Backend backend = open(true, Precision.F32);
        InferenceModel model = model(backend)) {
      assertEquals(expected, generate(model));
    }
    assertTrue(emulator.calls("cuGraphLaunch") > TOKENS / 2, emulator.callTable());
  }
}
