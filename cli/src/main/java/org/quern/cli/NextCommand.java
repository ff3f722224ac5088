package org.quern.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.quern.generate.InferenceModel.PositionConsumer;
import org.quern.generate.Logits;
import org.quern.generate.Session;
import org.quern.generate.TextModel;
import org.quern.io.ModelSource;
import org.quern.text.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern next`.
@Command(name = "next", description = "Shows how probable each next token is.")
final class NextCommand extends BaseCommand {
  @Parameters(paramLabel = "TEXT", arity = "0..1", description = "What comes before.")
  @Nullable String text;

  @Mixin ModelOption model = new ModelOption();

  @Mixin PrecisionOption precision = new PrecisionOption();

  @Mixin ProfileOption profile = new ProfileOption();

  @Option(names = "--ids", paramLabel = "\"1 2 3\"", description = "Token ids in place of a text.")
  @Nullable String ids;

  @Option(names = "--top", defaultValue = "10", description = "How many tokens. Default: 10.")
  int top = 10;

  @Option(names = "--every-position", description = "Behind each token, not only the last.")
  boolean everyPosition;

  @Option(names = "--logits", description = "With --json: the logits of all tokens too.")
  boolean logits;

  @Option(names = "--json", description = "As one JSON object.")
  boolean json;

  @Override
  public Integer call() throws IOException {
    if ((text == null) == (ids == null)) {
      throw new IllegalArgumentException("give a text, or --ids \"1 2 3\"");
    }
    if (logits && !json) {
      throw new IllegalArgumentException("--logits needs --json");
    }
    try (ModelSource files = model.open();
        TextModel loaded = TextModel.load(files, profile.in(precision.in(settings())))) {
      int[] tokens =
          ids != null ? Ids.parse(ids) : loaded.generator().encode(text == null ? "" : text);
      if (json) {
        writeJson(loaded, tokens);
      } else {
        writeTable(loaded, tokens);
      }
      profile.report(loaded.backend(), err());
    }
    return 0;
  }

  private void eachPosition(TextModel loaded, int[] tokens, PositionConsumer consumer) {
    if (everyPosition) {
      loaded.inference().everyPosition(tokens, consumer);
      return;
    }
    if (tokens.length > loaded.inference().context()) {
      throw new IllegalArgumentException(
          "the text has %d tokens, but the model's context is %d: shorten it"
              .formatted(tokens.length, loaded.inference().context()));
    }
    try (Session session = loaded.inference().open(1, Math.max(1, tokens.length))) {
      consumer.accept(tokens.length - 1, session.prefill(tokens)[0]);
    }
  }

  private void writeTable(TextModel loaded, int[] tokens) {
    PrintWriter out = out();
    eachPosition(
        loaded,
        tokens,
        (position, scores) -> {
          if (everyPosition) {
            out.printf(
                "behind %s (position %d, id %d)%n",
                Text.visible(Text.of(loaded.tokenizer(), tokens[position])),
                position,
                tokens[position]);
          }
          for (Logits.Candidate c : Logits.top(scores, top)) {
            out.printf(
                Locale.ROOT,
                "%7.3f %%  logit %9.4f  id %6d  %s%n",
                100 * Math.exp(c.logProbability()),
                c.logit(),
                c.id(),
                Text.visible(Text.of(loaded.tokenizer(), c.id())));
          }
          out.flush();
        });
  }

  private void writeJson(TextModel loaded, int[] tokens) throws IOException {
    PrintWriter out = out();
    JsonGenerator g = new JsonFactory().createGenerator(out);
    g.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
    try (g) {
      g.writeStartObject();
      g.writeFieldName("ids");
      g.writeArray(tokens, 0, tokens.length);
      g.writeArrayFieldStart("positions");
      eachPosition(
          loaded,
          tokens,
          (position, scores) -> {
            try {
              writePosition(g, loaded.tokenizer(), position, scores);
            } catch (IOException e) {
              throw new java.io.UncheckedIOException(e);
            }
          });
      g.writeEndArray();
      g.writeEndObject();
    }
    out.println();
    out.flush();
  }

  private void writePosition(
      JsonGenerator g, Optional<Tokenizer> tokenizer, int position, float[] scores)
      throws IOException {
    g.writeStartObject();
    g.writeNumberField("position", position);
    g.writeArrayFieldStart("top");
    for (Logits.Candidate c : Logits.top(scores, top)) {
      g.writeStartObject();
      g.writeNumberField("id", c.id());
      g.writeStringField("text", Text.of(tokenizer, c.id()));
      g.writeNumberField("logit", c.logit());
      g.writeNumberField("logprob", c.logProbability());
      g.writeEndObject();
    }
    g.writeEndArray();
    if (logits) {
      g.writeArrayFieldStart("logits");
      for (float x : scores) {
        g.writeNumber(x);
      }
      g.writeEndArray();
    }
    g.writeEndObject();
  }
}
