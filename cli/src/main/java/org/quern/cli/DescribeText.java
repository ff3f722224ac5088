package org.quern.cli;

import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;
import org.quern.core.Mask;
import org.quern.core.Precision;
import org.quern.core.Shape;
import org.quern.gpt.GptConfig;
import org.quern.gpt.GptConfig.Bias;
import org.quern.gpt.GptConfig.NormPlacement;
import org.quern.gpt.GptConfig.Positions;
import org.quern.gpt.GptConfig.Unembedding;
import org.quern.gpt.Preset;
import org.quern.plan.Ledger;
import org.quern.plan.MemoryPlan;

/// A [Description] for people, at 80 columns.
final class DescribeText {
  private static final int WIDTH = 80;

  private final Description d;
  private final GptConfig config;
  private final StringBuilder out = new StringBuilder();

  private DescribeText(Description d) {
    this.d = d;
    this.config = d.ledger().config();
  }

  /// {@return the text, without a line break at its end}
  static String of(Description d) {
    DescribeText text = new DescribeText(d);
    text.head();
    text.matrices();
    text.parts();
    text.inference();
    text.training();
    text.work();
    text.fits();
    return text.out.toString().stripTrailing();
  }

  private void line(String format, Object... args) {
    out.append(String.format(Locale.ROOT, format, args).stripTrailing()).append('\n');
  }

  private void paragraph(String format, Object... args) {
    Text.wrap(String.format(Locale.ROOT, format, args), WIDTH).forEach(l -> line("%s", l));
  }

  private void head() {
    Preset preset = d.preset();
    if (preset == null) {
      line("%s", d.name());
    } else {
      paragraph("%s: %s (%s)", preset.name(), preset.title(), preset.source());
    }
    paragraph(
        "%,d layers of width %,d, %,d heads of %,d, MLP %,d, context %,d, vocabulary %,d",
        config.layers(),
        config.width(),
        config.heads(),
        config.headSize(),
        config.mlpWidth(),
        config.context(),
        config.vocabulary());
    paragraph("%s", choices(config));
    if (preset != null && preset.recipe() != null) {
      paragraph(
          "Its paper trained it with %,d tokens a step and a learning rate of up to %s.",
          preset.recipe().tokensPerStep(), plain(preset.recipe().learningRate()));
    }
  }

  private static String plain(double x) {
    return BigDecimal.valueOf(x).stripTrailingZeros().toPlainString();
  }

  private static String choices(GptConfig c) {
    return String.join(
        ", ",
        c.norm() == NormPlacement.PRE ? "pre-norm" : "post-norm",
        c.positions() == Positions.LEARNED ? "learned positions" : "sinusoidal positions",
        switch (c.activation()) {
          case GELU_TANH -> "GELU by tanh";
          case GELU_ERF -> "GELU by erf";
          case RELU -> "ReLU";
          case NONE -> "no activation";
        },
        c.unembedding() == Unembedding.TIED ? "tied unembedding" : "separate unembedding",
        c.bias() == Bias.YES ? "biases" : "no biases",
        c.window() == Mask.UNBOUNDED
            ? "dense attention"
            : String.format(
                Locale.ROOT, "attention dense and banded in turns (%,d tokens back)", c.window()));
  }

  private void matrices() {
    Ledger ledger = d.ledger();
    line("");
    line("Weights by group, as GPT-3 is explained (no biases, norms, positions; untied)");
    line("  %-16s %17s %9s  %s", "group", "parameters", "matrices", "one is");
    for (Ledger.Group g : ledger.matrices()) {
      line("  %-16s %,17d %,9d  %s", g.name(), g.parameters(), g.count(), shape(g.matrix()));
    }
    line("  %-16s %,17d %,9d", "total", ledger.matrixParameters(), ledger.matrixCount());
    long attention = ledger.attentionParameters();
    long head = ledger.factoredValueMap() / 2;
    line("");
    line("  Attention: %,d in all, %,d a layer", attention, attention / config.layers());
    line("  A head: query %,d, key %,d; its value map would be", head, head);
    line("  %s = %,d in one piece and is", shape(square()), ledger.fullValueMap());
    line(
        "  %s times %s = %,d in two",
        shape(Shape.of(config.width(), config.headSize())),
        shape(Shape.of(config.headSize(), config.width())),
        ledger.factoredValueMap());
  }

  private Shape square() {
    return Shape.of(config.width(), config.width());
  }

  private static String shape(Shape s) {
    return String.format(Locale.ROOT, "%,d x %,d", s.dim(0), s.dim(1));
  }

  private void parts() {
    line("");
    line("Parameters of the model as it is built");
    d.ledger()
        .parts()
        .forEach(
            (part, count) -> {
              String note = note(part, count);
              line("  %-16s %,17d  %s", part.name().toLowerCase(Locale.ROOT), count, note);
            });
    line("  %-16s %,17d", "total", d.ledger().parameters());
  }

  private String note(Ledger.Part part, long count) {
    return switch (part) {
      case EMBEDDING -> "";
      case POSITIONS -> count == 0 ? "a fixed table" : "";
      case UNEMBEDDING -> count == 0 ? "the embedding again" : "";
      case ATTENTION, MLP -> "matrices";
      case BIASES -> "of linear maps";
      case NORMS -> config.bias() == Bias.YES ? "gains and biases" : "gains";
    };
  }

  private String size() {
    return String.format(
        Locale.ROOT, "%,d text%s of %,d tokens", d.batch(), d.batch() == 1 ? "" : "s", d.context());
  }

  private void inference() {
    line("");
    line("Memory for inference, %s", size());
    StringBuilder head = new StringBuilder();
    d.inference().keySet().forEach(p -> head.append(column(lower(p))));
    line("  %-26s%s", "precision", head);
    inferenceRow("weights as loaded, f32", MemoryPlan.Inference::weights);
    inferenceRow("weights prepared", MemoryPlan.Inference::prepared);
    inferenceRow("keys and values, f32", MemoryPlan.Inference::cache);
    inferenceRow("activations", MemoryPlan.Inference::activations);
    inferenceRow("rounding to size classes", MemoryPlan.Inference::rounding);
    inferenceRow("total", MemoryPlan.Inference::total);
  }

  private void inferenceRow(String name, ToLongFunction<MemoryPlan.Inference> value) {
    StringBuilder row = new StringBuilder();
    d.inference().values().forEach(plan -> row.append(column(bytes(value.applyAsLong(plan)))));
    line("  %-26s%s", name, row);
  }

  private void training() {
    line("");
    line("Memory for training, f32, %s", size());
    line("  %-26s%s%s", "activations are", column("kept"), column("recomputed"));
    trainingRow("weights", MemoryPlan.Training::weights);
    trainingRow("gradients", MemoryPlan.Training::gradients);
    trainingRow("AdamW's two moments", MemoryPlan.Training::moments);
    trainingRow("activations", MemoryPlan.Training::activations);
    trainingRow("rounding to size classes", MemoryPlan.Training::rounding);
    trainingRow("total", MemoryPlan.Training::total);
  }

  private void trainingRow(String name, ToLongFunction<MemoryPlan.Training> value) {
    line(
        "  %-26s%s%s",
        name,
        column(bytes(value.applyAsLong(d.training()))),
        column(bytes(value.applyAsLong(d.recomputing()))));
  }

  private void work() {
    line("");
    line("Work for one token among %,d", d.context());
    line("  %-26s%s", "products, 2 a weight", column(count(d.flops().products())));
    line("  %-26s%s", "attention, 4 T C a layer", column(count(d.flops().attention())));
    line("  %-26s%s", "inference", column(count(d.flops().inference())));
    line("  %-26s%s", "training, 3 times that", column(count(d.flops().training())));
  }

  private void fits() {
    line("");
    line("What fits, %s", size());
    StringBuilder head = new StringBuilder();
    List<Precision> precisions = List.copyOf(d.inference().keySet());
    precisions.forEach(p -> head.append(String.format(Locale.ROOT, "%6s", lower(p))));
    line("  %-20s %8s%s%9s%11s", "device", "memory", head, "training", "recomputed");
    for (Description.Fit fit : d.fits()) {
      StringBuilder row = new StringBuilder();
      for (Precision p : precisions) {
        row.append(String.format(Locale.ROOT, "%6s", yes(fit.inference().get(p))));
      }
      line(
          "  %-20s %8s%s%9s%11s",
          fit.device(), bytes(fit.bytes()), row, yes(fit.training()), yes(fit.recomputing()));
    }
    line("  The CPU's kernels keep f32 weights a second time, packed: that is counted.");
    line("  GB are 10^9 bytes. A card's driver takes some of its memory, not counted here.");
  }

  private static String yes(@Nullable Boolean fits) {
    return fits == null ? "-" : fits ? "yes" : "no";
  }

  private static String lower(Precision p) {
    return p.name().toLowerCase(Locale.ROOT);
  }

  private static String column(String text) {
    return String.format(Locale.ROOT, "%12s", text);
  }

  /// {@return bytes with a decimal unit, as vendors count}
  static String bytes(long bytes) {
    return bytes == 0 ? "0" : scaled(bytes, "B");
  }

  private static String count(long operations) {
    return operations == 0 ? "0" : scaled(operations, "FLOP");
  }

  private static String scaled(double x, String unit) {
    String[] prefixes = {"", "k", "M", "G", "T", "P", "E"};
    int i = 0;
    double y = x;
    while (y >= 999.5 && i < prefixes.length - 1) {
      y /= 1000;
      i++;
    }
    String digits = i == 0 || y >= 99.95 ? "%.0f %s" : y >= 9.995 ? "%.1f %s" : "%.2f %s";
    return String.format(Locale.ROOT, digits, y, prefixes[i] + unit);
  }
}
