package org.quern.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.core.Activation;
import org.quern.core.Shape;
import org.quern.flow.Tape.Recompute;
import org.quern.gpt.GptConfig;
import org.quern.gpt.GptConfig.Bias;
import org.quern.gpt.GptConfig.NormPlacement;
import org.quern.gpt.GptConfig.Positions;
import org.quern.gpt.GptConfig.Unembedding;
import org.quern.gpt.Presets;
import org.quern.plan.Ledger.Group;
import org.quern.plan.Ledger.Part;

class LedgerTest {
  private static Group group(Ledger ledger, String name) {
    return ledger.matrices().stream()
        .filter(g -> g.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no group " + name));
  }

  @Test
  void gpt3AsItIsExplained() {
    Ledger ledger = Ledger.of(Presets.of("gpt3").config());
    Map<String, Long> found =
        ledger.matrices().stream().collect(Collectors.toMap(Group::name, Group::parameters));
    assertEquals(
        Map.of(
            "embedding", 617_558_016L,
            "query", 14_495_514_624L,
            "key", 14_495_514_624L,
            "value-down", 14_495_514_624L,
            "value-up", 14_495_514_624L,
            "up-projection", 57_982_058_496L,
            "down-projection", 57_982_058_496L,
            "unembedding", 617_558_016L),
        found);
    assertEquals(175_181_291_520L, ledger.matrixParameters());
    assertEquals(27_938, ledger.matrixCount());
    assertEquals(57_982_058_496L, ledger.attentionParameters());
    assertEquals(603_979_776L, ledger.attentionParameters() / 96);
    assertEquals(Shape.of(128, 12288), group(ledger, "query").matrix());
    assertEquals(1_572_864, group(ledger, "query").matrix().elements());
    assertEquals(1_572_864, group(ledger, "key").matrix().elements());
    assertEquals(9216, group(ledger, "value-down").count());
    assertEquals(96, group(ledger, "value-up").count());
    assertEquals(150_994_944, ledger.fullValueMap());
    assertEquals(3_145_728, ledger.factoredValueMap());
  }

  /// GPT-1 and GPT-2 as counted in their published files, the others from the shapes of their
  /// layers (12 C^2 + 13 C each), not by this code.
  @ParameterizedTest
  @CsvSource({
    "gpt1, 116534784",
    "gpt2, 124439808",
    "gpt2-medium, 354823168",
    "gpt2-large, 774030080",
    "gpt2-xl, 1557611200",
    "gpt3-small, 125226240",
    "gpt3-medium, 355871744",
    "gpt3-large, 760300032",
    "gpt3-xl, 1315723264",
    "gpt3-2.7b, 2651553280",
    "gpt3-6.7b, 6658404352",
    "gpt3-13b, 12853386240",
    "gpt3, 174604259328",
    "small, 818048",
    "shakespeare, 2731200"
  })
  void exactCounts(String name, long parameters) {
    assertEquals(parameters, Ledger.of(Presets.of(name).config()).parameters());
  }

  @Test
  void everyPresetIsCounted() throws NoSuchMethodException {
    int cases =
        LedgerTest.class
            .getDeclaredMethod("exactCounts", String.class, long.class)
            .getAnnotation(CsvSource.class)
            .value()
            .length;
    assertEquals(Presets.all().size(), cases);
  }

  @Test
  void choicesShowInTheirParts() {
    GptConfig config =
        GptConfig.gpt2(10, 6, 8, 3, 2)
            .with(NormPlacement.POST, Positions.SINUSOIDAL, Activation.RELU)
            .with(Unembedding.SEPARATE, Bias.NO);
    assertEquals(
        Map.of(
            Part.EMBEDDING, 80L,
            Part.POSITIONS, 0L,
            Part.ATTENTION, 3L * 4 * 64,
            Part.MLP, 3L * 8 * 64,
            Part.BIASES, 0L,
            Part.NORMS, 3L * 2 * 8,
            Part.UNEMBEDDING, 80L),
        Ledger.of(config).parts());
    Ledger gpt2 = Ledger.of(GptConfig.gpt2(10, 6, 8, 3, 2));
    assertEquals(48, gpt2.parts().get(Part.POSITIONS));
    assertEquals(3L * (24 + 8 + 32 + 8), gpt2.parts().get(Part.BIASES));
    assertEquals(7L * 16, gpt2.parts().get(Part.NORMS));
    assertEquals(0, gpt2.parts().get(Part.UNEMBEDDING));
  }

  /// 16 GiB of sines: only their size matters.
  @Test
  void tablesAreNotMade() {
    GptConfig config =
        GptConfig.gpt2(10, 1 << 22, 1024, 1, 2)
            .with(NormPlacement.PRE, Positions.SINUSOIDAL, Activation.RELU);
    long parameters = Ledger.of(config).parameters();
    MemoryPlan.Training plan = MemoryPlan.training(config, 1, 1, Recompute.NEVER);
    assertEquals(4 * parameters + (16L << 30), plan.weights());
    assertEquals(4 * parameters, plan.gradients());
  }

  @Test
  void workOfGpt2() {
    Flops f = Flops.of(Presets.of("gpt2").config(), 1024);
    assertEquals(2L * (12 * 12 * 768 * 768 + 50257 * 768), f.products());
    assertEquals(4L * 12 * 1024 * 768, f.attention());
    assertEquals(3 * (f.products() + f.attention()), f.training());
  }

  @Test
  void bandedLayersWorkLess() {
    Flops f = Flops.of(GptConfig.gpt2(10, 100, 8, 3, 2).withWindow(20), 50);
    assertEquals(4L * 8 * (50 + 20 + 50), f.attention());
  }
}
