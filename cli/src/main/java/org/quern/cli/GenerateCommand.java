package org.quern.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.quern.generate.EndOfText;
import org.quern.generate.FinishReason;
import org.quern.generate.Generation;
import org.quern.generate.GenerationOptions;
import org.quern.generate.GenerationOptions.LogProbabilities;
import org.quern.generate.Generator;
import org.quern.generate.Overflow;
import org.quern.generate.Sampling;
import org.quern.generate.TextModel;
import org.quern.generate.TokenListener;
import org.quern.io.ModelSource;
import org.quern.text.Tokenizer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `quern generate`.
@Command(name = "generate", description = "Goes on from a text, token by token.")
final class GenerateCommand extends BaseCommand {
  @Parameters(
      paramLabel = "PROMPT",
      arity = "0..*",
      description = {
        "The text to go on from; several run as one batch.",
        "Default: the end-of-text token, or a new line."
      })
  List<String> prompts = new ArrayList<>();

  @Mixin ModelOption model = new ModelOption();

  @Mixin PrecisionOption precision = new PrecisionOption();

  @Mixin ProfileOption profile = new ProfileOption();

  @Option(
      names = "--ids",
      paramLabel = "\"1 2 3\"",
      description = "Token ids in place of a text; ids are printed.")
  @Nullable String ids;

  @Option(
      names = "--temperature",
      defaultValue = "0.8",
      description = "0 is greedy. Default: ${DEFAULT-VALUE}.")
  double temperature = 0.8;

  @Option(
      names = "--top-k",
      defaultValue = "0",
      description = "Keep the k most probable tokens; 0 keeps all. Default: 0.")
  int topK;

  @Option(
      names = "--top-p",
      defaultValue = "0.95",
      description = "Keep the most probable tokens that make up p. Default: 0.95.")
  double topP = 0.95;

  @Option(
      names = "--min-p",
      defaultValue = "0",
      description = "Drop tokens below p times the most probable one. Default: 0.")
  double minP;

  @Option(
      names = "--repetition-penalty",
      defaultValue = "1",
      description = "Above 1 makes tokens of the text less probable. Default: 1.")
  double repetitionPenalty = 1;

  @Option(
      names = "--seed",
      defaultValue = "0",
      description = "The same seed gives the same text. Default: 0.")
  long seed;

  @Option(
      names = "--max-tokens",
      defaultValue = "400",
      description = "Tokens to draw at most. Default: ${DEFAULT-VALUE}.")
  int maxTokens = 400;

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "End before this text; may be given several times.")
  List<String> stops = new ArrayList<>();

  @Option(
      names = "--slide",
      description = {
        "Of a prompt longer than the context see the end, in place of refusing it.",
        "A text that grows longer than the context always slides."
      })
  boolean slide;

  @Option(names = "--ignore-end", description = "Go on behind the end-of-text token.")
  boolean ignoreEnd;

  @Option(names = "--logprobs", description = "Print each token's log-probability, a line each.")
  boolean logprobs;

  @Override
  public Integer call() throws IOException {
    if (ids != null && !prompts.isEmpty()) {
      throw new IllegalArgumentException("give a prompt or --ids, not both");
    }
    GenerationOptions options = options();
    try (ModelSource files = model.open();
        TextModel text = TextModel.load(files, profile.in(precision.in(settings())));
        Interrupts interrupts = new Interrupts()) {
      List<int[]> starts = starts(text);
      starts.forEach(start -> checkLength(start.length, text));
      List<Generation> results =
          starts.size() > 1
              ? batch(text, starts, options, interrupts)
              : List.of(single(text, starts.getFirst(), options, interrupts));
      profile.report(text.backend(), err());
      boolean cancelled = results.stream().anyMatch(r -> r.reason() == FinishReason.CANCELLED);
      return cancelled ? Failures.INTERRUPTED : 0;
    }
  }

  private void checkLength(int tokens, TextModel text) {
    int context = text.inference().context();
    if (tokens > context && !slide) {
      throw new IllegalArgumentException(
          ("the prompt has %d tokens, but the model's context is %d: shorten it, or pass --slide to"
                  + " go on from its last %d")
              .formatted(tokens, context, context));
    }
  }

  private GenerationOptions options() {
    return new GenerationOptions(
        new Sampling(temperature, topK, topP, minP, repetitionPenalty, seed),
        maxTokens,
        stops,
        Overflow.SLIDE,
        ignoreEnd ? EndOfText.IGNORE : EndOfText.STOP,
        logprobs ? LogProbabilities.YES : LogProbabilities.NO);
  }

  /// {@return the tokens to go on from, one array a text}
  private List<int[]> starts(TextModel text) {
    if (ids != null) {
      return List.of(Ids.parse(ids));
    }
    if (!prompts.isEmpty()) {
      return prompts.stream().map(text.generator()::encode).toList();
    }
    Tokenizer tokenizer =
        text.tokenizer()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        model.name() + " has no tokenizer: give ids, --ids \"1 2 3\""));
    return List.of(start(tokenizer));
  }

  /// {@return what stands before a text: the end of another, a new line, or the first token}
  private static int[] start(Tokenizer tokenizer) {
    if (tokenizer.endOfText().isPresent()) {
      return new int[] {tokenizer.endOfText().getAsInt()};
    }
    try {
      return tokenizer.encode("\n");
    } catch (IllegalArgumentException e) { // a character that this tokenizer lacks
      return new int[] {0};
    }
  }

  /// Prints a text as it grows.
  private Generation single(
      TextModel text, int[] start, GenerationOptions options, Interrupts interrupts) {
    PrintWriter out = out();
    boolean lines = logprobs && ids == null;
    if (ids != null) {
      out.print(Ids.print(Ids.list(start)));
    } else if (!lines && !prompts.isEmpty()) {
      out.print(prompts.getFirst());
    }
    out.flush();
    TokenListener listener =
        event -> {
          if (ids != null) {
            out.print(" " + event.id());
          } else if (lines) {
            String token = Text.visible(Text.of(text.tokenizer(), event.id()));
            out.printf(Locale.ROOT, "%6d %9.4f  %s%n", event.id(), event.logProbability(), token);
          } else {
            out.print(event.text());
          }
          out.flush();
          return next(interrupts);
        };
    Generation g = text.generator().generateIds(start, options, listener);
    if (!lines) {
      out.println();
    }
    out.flush();
    return g;
  }

  /// Prints texts when all are done.
  private List<Generation> batch(
      TextModel text, List<int[]> starts, GenerationOptions options, Interrupts interrupts) {
    List<Generator.Request> requests =
        starts.stream().map(start -> new Generator.Request(Ids.list(start), options)).toList();
    List<Generation> results;
    try (Progress bar =
        Progress.open("generate", "tokens", 0, (long) starts.size() * maxTokens, err())) {
      long[] done = {0};
      results =
          text.generator()
              .generateAll(
                  requests,
                  event -> {
                    bar.to(++done[0]);
                    return next(interrupts);
                  });
    }
    for (int i = 0; i < results.size(); i++) {
      out().printf("--- %d ---%n%s%s%n", i + 1, prompts.get(i), results.get(i).text());
    }
    out().flush();
    return results;
  }

  private static TokenListener.Next next(Interrupts interrupts) {
    return interrupts.requested() ? TokenListener.Next.STOP : TokenListener.Next.CONTINUE;
  }
}
