package org.quern.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Scope;
import org.quern.flow.PreparedWeights;
import org.quern.gpt.LanguageModel;
import org.quern.io.ModelSource;
import org.quern.text.Tokenizer;
import org.quern.train.Evaluator;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `quern eval`.
@Command(
    name = "eval",
    description = "Measures how well a model predicts a text: loss and perplexity.")
final class EvalCommand extends BaseCommand {
  @Mixin ModelOption model = new ModelOption();

  @Mixin PrecisionOption precision = new PrecisionOption();

  @Mixin ProfileOption profile = new ProfileOption();

  @Option(
      names = "--data",
      required = true,
      paramLabel = "FILE|FOLDER|jdk",
      description = "The text.")
  String data = "";

  @Option(
      names = "--last",
      paramLabel = "SHARE",
      defaultValue = "1",
      description = "Only the last part of the tokens: 0.1 is what 'train' validates on.")
  double last = 1;

  @Option(names = "--context", description = "Tokens of a window. Default: the model's.")
  @Nullable Integer context;

  @Option(names = "--batch", defaultValue = "8", description = "Windows at a time. Default: 8.")
  int batch = 8;

  @Option(names = "--json", description = "As one JSON object.")
  boolean json;

  @Override
  public Integer call() throws IOException {
    if (!(last > 0 && last <= 1)) {
      throw new IllegalArgumentException("--last must be in (0, 1], found " + last);
    }
    if (batch < 1) {
      throw new IllegalArgumentException("--batch must be positive, found " + batch);
    }
    try (Backend device = Backends.open(profile.in(precision.in(settings())));
        ModelSource files = model.open()) {
      Tokenizer tokenizer =
          files
              .tokenizer()
              .orElseThrow(
                  () ->
                      new IllegalArgumentException(
                          model.name() + " has no tokenizer, which a text needs"));
      int[] tokens = tail(tokenizer.encode(TextSource.read(data).text()));
      try (LanguageModel m = files.load(device);
          Scope prepared = device.open("prepared weights")) {
        PreparedWeights weights = PreparedWeights.of(m.linearWeights(), device, prepared);
        print(measure(m, weights, tokens, windowOf(m)));
      }
      profile.report(device, err());
    }
    return 0;
  }

  private int[] tail(int[] tokens) {
    // The same cut as TokenSplit's.
    int from = last == 1 ? 0 : (int) (tokens.length * (1 - last));
    return java.util.Arrays.copyOfRange(tokens, from, tokens.length);
  }

  private int windowOf(LanguageModel m) {
    int window = context == null ? m.context() : context;
    if (window < 1 || window > m.context()) {
      throw new IllegalArgumentException(
          "--context must be from 1 to the model's %d, found %d".formatted(m.context(), window));
    }
    return window;
  }

  private Evaluator.Result measure(
      LanguageModel m, PreparedWeights weights, int[] tokens, int window) {
    try (Progress bar = Progress.open("eval", "tokens", 0, tokens.length - 1L, err())) {
      return Evaluator.evaluate(m, weights, tokens, window, batch, bar::to);
    }
  }

  private void print(Evaluator.Result r) throws IOException {
    if (!json) {
      out()
          .printf(
              Locale.ROOT,
              "loss        %.4f nats a token (%.4f bits)%nperplexity  %.3f%ntokens      %d%n",
              r.loss(),
              r.loss() / Math.log(2),
              r.perplexity(),
              r.tokens());
      out().flush();
      return;
    }
    StringWriter text = new StringWriter();
    try (JsonGenerator g = new JsonFactory().createGenerator(text)) {
      g.writeStartObject();
      g.writeNumberField("loss", r.loss());
      g.writeNumberField("perplexity", r.perplexity());
      g.writeNumberField("tokens", r.tokens());
      g.writeEndObject();
    }
    out().println(text);
    out().flush();
  }
}
