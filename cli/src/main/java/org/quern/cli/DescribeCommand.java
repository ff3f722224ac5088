package org.quern.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.quern.core.Precision;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Preset;
import org.quern.gpt.Presets;
import org.quern.io.ModelSource;
import org.quern.plan.Ledger;
import org.quern.plan.SizesBackend;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern describe`.
@Command(
    name = "describe",
    description = {
      "Tells where a model's parameters are, and what it takes: memory, work, devices.",
      "Nothing is loaded: a model of any size is described anywhere."
    })
final class DescribeCommand extends BaseCommand {
  /// Far above what anybody runs at once; some host memory is taken for each text.
  private static final int MOST_BATCH = 1024;

  private static final String[] COLUMNS = {
    "preset", "parameters", "layers", "width", "heads", "context"
  };

  @Parameters(
      arity = "0..1",
      paramLabel = "PRESET|FOLDER",
      description = {
        "A name such as gpt2 or gpt3, or a folder that holds a model.",
        "Without it, the presets are listed."
      })
  @Nullable String name;

  @Mixin PrecisionOption precision = new PrecisionOption();

  @Option(names = "--batch", defaultValue = "1", description = "Texts at a time. Default: 1.")
  int batch = 1;

  @Option(names = "--context", description = "Tokens of each. Default: the model's.")
  @Nullable Integer context;

  @Option(names = "--json", description = "As one JSON object.")
  boolean json;

  @Override
  public Integer call() throws IOException {
    if (batch < 1 || batch > MOST_BATCH) {
      throw new IllegalArgumentException(
          "--batch must be from 1 to %d, found %d".formatted(MOST_BATCH, batch));
    }
    if (name == null) {
      list();
      return 0;
    }
    Preset preset = Presets.find(name);
    if (preset != null) {
      print(describe(preset.name(), preset, preset.config()));
      return 0;
    }
    try (ModelSource folder = open(name);
        SizesBackend sizes = new SizesBackend(Precision.F32, SizesBackend.Packing.NONE)) {
      folder.check(sizes);
      switch (folder.kind()) {
        case GPT -> print(describe(name, null, folder.config()));
        case BIGRAM -> printBigram(name, folder.vocabulary());
      }
    }
    return 0;
  }

  private static ModelSource open(String name) {
    Path path = Path.of(name);
    Path pulled = Files.exists(path) ? null : Catalog.find(name);
    if (pulled == null && !Files.exists(path)) {
      throw new IllegalArgumentException(
          "'%s' is no folder and no preset; presets are %s".formatted(name, Presets.names()));
    }
    return ModelSource.open(pulled == null ? path : pulled);
  }

  private Description describe(String shown, @Nullable Preset preset, GptConfig config) {
    int tokens = context == null ? config.context() : context;
    if (tokens < 1 || tokens > config.context()) {
      throw new IllegalArgumentException(
          "--context must be from 1 to the model's %d, found %d"
              .formatted(config.context(), tokens));
    }
    List<Precision> precisions =
        precision.precision == null ? List.of(Precision.values()) : List.of(precision.precision);
    return Description.of(shown, preset, config, batch, tokens, precisions, settings());
  }

  private void print(Description d) throws IOException {
    out().println(json ? DescribeJson.text(d) : DescribeText.of(d));
    out().flush();
  }

  private void printBigram(String shown, int vocabulary) throws IOException {
    long parameters = (long) vocabulary * vocabulary;
    if (json) {
      out()
          .println(
              JsonParts.text(
                  g -> {
                    g.writeStartObject();
                    g.writeStringField("name", shown);
                    g.writeStringField("kind", "bigram");
                    g.writeNumberField("vocabulary", vocabulary);
                    g.writeNumberField("parameters", parameters);
                    g.writeEndObject();
                  }));
    } else {
      out()
          .printf(
              Locale.ROOT,
              "%s: a bigram, one table of %,d x %,d: %,d parameters%n",
              shown,
              vocabulary,
              vocabulary,
              parameters);
    }
    out().flush();
  }

  private void list() throws IOException {
    if (json) {
      out().println(DescribeJson.list(Presets.all()));
    } else {
      out().printf("%-12s %16s %7s %7s %6s %8s%n", (Object[]) COLUMNS);
      for (Preset p : Presets.all()) {
        GptConfig c = p.config();
        out()
            .printf(
                Locale.ROOT,
                "%-12s %,16d %7d %,7d %6d %,8d%n",
                p.name(),
                Ledger.of(c).parameters(),
                c.layers(),
                c.width(),
                c.heads(),
                c.context());
      }
      out().println("\n'quern describe PRESET' tells more of one.");
    }
    out().flush();
  }
}
