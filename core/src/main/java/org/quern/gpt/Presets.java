package org.quern.gpt;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.gpt.GptConfig.NormPlacement;
import org.quern.gpt.GptConfig.Positions;

/// The models of the GPT papers by name, and small ones to train on a desk.
///
/// | name | layers | width | heads | context |
/// |---|---|---|---|---|
/// | `gpt1` | 12 | 768 | 12 | 512 |
/// | `gpt2`, `-medium`, `-large`, `-xl` | 12, 24, 36, 48 | 768, 1024, 1280, 1600 | 12, 16, 20, 25 | 1024 |
/// | `gpt3-small`, `-medium`, `-large` | 12, 24, 24 | 768, 1024, 1536 | 12, 16, 16 | 2048 |
/// | `gpt3-xl`, `-2.7b`, `-6.7b` | 24, 32, 32 | 2048, 2560, 4096 | 16, 32, 32 | 2048 |
/// | `gpt3-13b`, `gpt3` | 40, 96 | 5120, 12288 | 40, 96 | 2048 |
/// | `small`, `shakespeare` | 4, 6 | 128, 192 | 4, 6 | 128, 256 |
///
/// - **GPT-1** (Radford et al., "Improving language understanding by generative pre-training",
///   2018, section 4.1): post-norm, learned positions, GELU as its code computes it, by tanh.
///   40,000 merges and what else its published vocabulary holds make 40,478 tokens.
/// - **GPT-2** (Radford et al., "Language models are unsupervised multitask learners", 2019, table
///   2). The paper gives no heads and no dropout; both are those of the published models. Its batch
///   is 512 texts; it does not say the learning rate.
/// - **GPT-3** (arXiv:2005.14165, table 2.1), with the table's batch sizes and learning rates. It
///   is GPT-2 with every second layer locally banded. The width of the band is not published; 256
///   is that of GPT-Neo, an open model after it. Dropout is not mentioned: 0. Two rows of the table
///   contradict themselves. 1.3B ("XL") has 24 heads of 128 at a width of 2048: 24 does not divide
///   2048, and heads of 128 are what the larger models have, so 16 heads of 128 are taken; the
///   number of parameters is the same. 13B has a width of 5140 and 40 heads of 128: their product,
///   5120, is taken.
public final class Presets {
  private static final int GPT2_VOCABULARY = 50257;
  private static final int GPT3_WINDOW = 256;
  private static final String GPT2_PAPER =
      "Radford et al. 2019, table 2; heads and dropout as published with the weights";
  private static final String GPT3_PAPER = "arXiv:2005.14165, table 2.1";

  private static final Map<String, Preset> ALL = new LinkedHashMap<>();

  static {
    add(gpt1());
    gpt2("gpt2", "GPT-2, 124M", 768, 12, 12);
    gpt2("gpt2-medium", "GPT-2, 355M", 1024, 24, 16);
    gpt2("gpt2-large", "GPT-2, 774M", 1280, 36, 20);
    gpt2("gpt2-xl", "GPT-2, 1.5B", 1600, 48, 25);
    gpt3("gpt3-small", "GPT-3 Small, 125M", 768, 12, 12, 500_000, 6.0e-4);
    gpt3("gpt3-medium", "GPT-3 Medium, 350M", 1024, 24, 16, 500_000, 3.0e-4);
    gpt3("gpt3-large", "GPT-3 Large, 760M", 1536, 24, 16, 500_000, 2.5e-4);
    gpt3("gpt3-xl", "GPT-3 XL, 1.3B", 2048, 24, 16, 1_000_000, 2.0e-4);
    gpt3("gpt3-2.7b", "GPT-3 2.7B", 2560, 32, 32, 1_000_000, 1.6e-4);
    gpt3("gpt3-6.7b", "GPT-3 6.7B", 4096, 32, 32, 2_000_000, 1.2e-4);
    gpt3("gpt3-13b", "GPT-3 13B", 5120, 40, 40, 2_000_000, 1.0e-4);
    gpt3("gpt3", "GPT-3 175B", 12288, 96, 96, 3_200_000, 0.6e-4);
    small("small", "a few minutes on two cores", GptConfig.gpt2(65, 128, 128, 4, 4));
    small(
        "shakespeare",
        "the model that comes with Quern",
        GptConfig.gpt2(65, 256, 192, 6, 6).withDropout(0.1f));
  }

  private Presets() {}

  private static void add(Preset preset) {
    ALL.put(preset.name(), preset);
  }

  private static Preset gpt1() {
    GptConfig config =
        GptConfig.gpt2(40478, 512, 768, 12, 12)
            .with(NormPlacement.POST, Positions.LEARNED, Activation.GELU_TANH)
            .withDropout(0.1f);
    return new Preset(
        "gpt1",
        "GPT-1, 117M",
        "Radford et al. 2018, section 4.1",
        config,
        new Preset.Recipe(64 * 512, 2.5e-4));
  }

  private static void gpt2(String name, String title, int width, int layers, int heads) {
    GptConfig config =
        GptConfig.gpt2(GPT2_VOCABULARY, 1024, width, layers, heads).withDropout(0.1f);
    add(new Preset(name, title, GPT2_PAPER, config, null));
  }

  private static void gpt3(
      String name, String title, int width, int layers, int heads, int batch, double rate) {
    GptConfig config =
        GptConfig.gpt2(GPT2_VOCABULARY, 2048, width, layers, heads).withWindow(GPT3_WINDOW);
    add(new Preset(name, title, GPT3_PAPER, config, new Preset.Recipe(batch, rate)));
  }

  private static void small(String name, String title, GptConfig config) {
    add(new Preset(name, title, "this project, for characters", config, null));
  }

  /// {@return all presets, from the oldest paper on}
  public static List<Preset> all() {
    return List.copyOf(ALL.values());
  }

  /// {@return the preset of that name, or null: there is none}
  ///
  /// @param name in any case
  public static @Nullable Preset find(String name) {
    return ALL.get(name.toLowerCase(Locale.ROOT));
  }

  /// {@return the preset of that name}
  ///
  /// @param name in any case
  /// @throws IllegalArgumentException if there is none, listing those that there are
  public static Preset of(String name) {
    Preset preset = find(name);
    if (preset == null) {
      throw new IllegalArgumentException(
          "there is no preset '%s'; there are %s".formatted(name, names()));
    }
    return preset;
  }

  /// {@return the names of all, with commas between}
  public static String names() {
    return ALL.keySet().stream().collect(Collectors.joining(", "));
  }
}
