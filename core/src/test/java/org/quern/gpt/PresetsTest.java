package org.quern.gpt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.core.Mask;
import org.quern.gpt.GptConfig.NormPlacement;

/// The presets against the papers' tables.
class PresetsTest {
  /// Layers, width, heads and their size, batch in tokens, learning rate: arXiv:2005.14165, table
  /// 2.1, but for the two rows that contradict themselves.
  @ParameterizedTest
  @CsvSource({
    "gpt3-small, 12, 768, 12, 64, 500000, 6.0e-4",
    "gpt3-medium, 24, 1024, 16, 64, 500000, 3.0e-4",
    "gpt3-large, 24, 1536, 16, 96, 500000, 2.5e-4",
    "gpt3-xl, 24, 2048, 16, 128, 1000000, 2.0e-4",
    "gpt3-2.7b, 32, 2560, 32, 80, 1000000, 1.6e-4",
    "gpt3-6.7b, 32, 4096, 32, 128, 2000000, 1.2e-4",
    "gpt3-13b, 40, 5120, 40, 128, 2000000, 1.0e-4",
    "gpt3, 96, 12288, 96, 128, 3200000, 0.6e-4"
  })
  void gpt3(String name, int layers, int width, int heads, int head, int batch, double rate) {
    Preset preset = Presets.of(name);
    GptConfig c = preset.config();
    assertEquals(layers, c.layers());
    assertEquals(width, c.width());
    assertEquals(heads, c.heads());
    assertEquals(head, c.headSize());
    assertEquals(4 * width, c.mlpWidth());
    assertEquals(2048, c.context());
    assertEquals(50257, c.vocabulary());
    assertEquals(new Preset.Recipe(batch, rate), preset.recipe());
    assertEquals(Mask.CAUSAL, c.mask(0));
    assertEquals(Mask.banded(256), c.mask(1));
    assertEquals(Mask.CAUSAL, c.mask(2));
  }

  @ParameterizedTest
  @CsvSource({
    "gpt2, 12, 768, 12",
    "gpt2-medium, 24, 1024, 16",
    "gpt2-large, 36, 1280, 20",
    "gpt2-xl, 48, 1600, 25"
  })
  void gpt2(String name, int layers, int width, int heads) {
    GptConfig expected = GptConfig.gpt2(50257, 1024, width, layers, heads).withDropout(0.1f);
    assertEquals(expected, Presets.of(name).config());
    assertNull(Presets.of(name).recipe());
  }

  @Test
  void gpt1IsPostNorm() {
    GptConfig c = Presets.of("gpt1").config();
    assertEquals(NormPlacement.POST, c.norm());
    assertEquals(40478, c.vocabulary());
    assertEquals(512, c.context());
  }

  @Test
  void namesInAnyCase() {
    assertSame(Presets.of("gpt2-xl"), Presets.of("GPT2-XL"));
  }

  @Test
  void unknownNamesListAll() {
    assertNull(Presets.find("gpt4"));
    String message =
        assertThrows(IllegalArgumentException.class, () -> Presets.of("gpt4")).getMessage();
    for (Preset p : Presets.all()) {
      assertTrue(message.contains(p.name()), message);
    }
  }
}
