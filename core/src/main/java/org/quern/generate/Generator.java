package org.quern.generate;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.text.Tokenizer;

/// Generates text with a model and a tokenizer, or ids without one. Immutable, shared by threads;
/// each call has a session of its own.
///
/// Texts in a batch are computed together and do not influence each other: each draws the tokens
/// that it would draw alone with the same options. All rows given the same options have the same
/// seed, so that equal prompts give equal texts; for several samples of one prompt give each
/// [Request] a seed of its own.
///
/// A text ends with a [FinishReason]. To cancel one, its listener returns
/// [TokenListener.Next#STOP]; to cancel all, interrupt the thread: between two tokens every text
/// ends with [FinishReason#CANCELLED], and the thread stays interrupted.
public final class Generator {
  private final InferenceModel model;
  private final @Nullable Tokenizer tokenizer;

  /// Makes a generator of ids: texts are empty, and there is no end of text.
  ///
  /// @param model what to run; stays open
  public Generator(InferenceModel model) {
    this.model = model;
    this.tokenizer = null;
  }

  /// Makes a generator of text.
  ///
  /// @param model what to run; stays open
  /// @param tokenizer the model's
  public Generator(InferenceModel model, Tokenizer tokenizer) {
    this.model = model;
    this.tokenizer = tokenizer;
  }

  /// One text of a batch.
  ///
  /// @param ids the prompt, at least one token
  /// @param options how to go on from it
  public record Request(List<Integer> ids, GenerationOptions options) {
    /// Copies the prompt.
    public Request {
      ids = List.copyOf(ids);
    }
  }

  /// {@return what the model makes of a prompt}
  ///
  /// @param prompt some text
  /// @param options how to go on from it
  /// @param listener hears of each token
  /// @throws IllegalArgumentException if the prompt is empty, or too long and may not slide, or has
  ///   a token out of the model's vocabulary; or there is no tokenizer
  /// @throws IllegalStateException if the model is closed
  public Generation generate(String prompt, GenerationOptions options, TokenListener listener) {
    return generateAll(List.of(prompt), options, listener).getFirst();
  }

  /// {@return what the model makes of each prompt, computed as one batch}
  ///
  /// @param prompts each some text
  /// @param options how to go on from each
  /// @param listener hears of each token
  /// @throws IllegalArgumentException if there is no prompt, one is empty, or too long and may not
  ///   slide, or has a token out of the model's vocabulary; or there is no tokenizer
  /// @throws IllegalStateException if the model is closed
  public List<Generation> generateAll(
      List<String> prompts, GenerationOptions options, TokenListener listener) {
    List<int[]> ids = new ArrayList<>();
    for (int b = 0; b < prompts.size(); b++) {
      ids.add(encode(prompts.get(b), b));
    }
    return run(ids, ids.stream().map(i -> options).toList(), listener);
  }

  /// {@return what the model makes of ids}
  ///
  /// @param prompt at least one token
  /// @param options how to go on from it
  /// @param listener hears of each token
  /// @throws IllegalArgumentException if the prompt is empty, or too long and may not slide, or has
  ///   an id out of the vocabulary; or there is a stop string and no tokenizer
  /// @throws IllegalStateException if the model is closed
  public Generation generateIds(int[] prompt, GenerationOptions options, TokenListener listener) {
    return run(List.of(prompt), List.of(options), listener).getFirst();
  }

  /// {@return what the model makes of each request, computed as one batch}
  ///
  /// @param requests the texts, each with options of its own
  /// @param listener hears of each token
  /// @throws IllegalArgumentException if there is none, or one is refused as [#generateIds] says
  /// @throws IllegalStateException if the model is closed
  public List<Generation> generateAll(List<Request> requests, TokenListener listener) {
    return run(
        requests.stream().map(r -> r.ids().stream().mapToInt(i -> i).toArray()).toList(),
        requests.stream().map(Request::options).toList(),
        listener);
  }

  private List<Generation> run(
      List<int[]> prompts, List<GenerationOptions> options, TokenListener listener) {
    if (prompts.isEmpty()) {
      throw new IllegalArgumentException("there is no prompt: give at least one");
    }
    List<Row> rows = new ArrayList<>();
    long needed = 0;
    for (int b = 0; b < prompts.size(); b++) {
      int[] prompt = prompts.get(b);
      GenerationOptions o = options.get(b);
      int limit = o.overflow() == Overflow.SLIDE ? Integer.MAX_VALUE : model.context();
      Prompts.check(prompt, b, limit, model.context(), model.vocabulary());
      if (tokenizer == null && !o.stops().isEmpty()) {
        throw new IllegalArgumentException(
            "stop strings need a tokenizer, and this model has none: leave them out");
      }
      rows.add(new Row(b, prompt, o, model.vocabulary(), tokenizer));
      needed = Math.max(needed, (long) prompt.length + o.maxTokens());
    }
    return Decoder.run(model, Decoder.capacity(model.context(), needed), rows, listener);
  }

  /// {@return the ids of a prompt}
  ///
  /// @param prompt some text
  /// @throws IllegalArgumentException if it is empty, or there is no tokenizer
  public int[] encode(String prompt) {
    return encode(prompt, 0);
  }

  private int[] encode(String prompt, int row) {
    if (tokenizer == null) {
      throw new IllegalArgumentException(
          "this model has no tokenizer: give ids in place of text, or put the tokenizer's files"
              + " (vocab.json and merges.txt) into its folder");
    }
    if (prompt.isEmpty()) {
      throw new IllegalArgumentException(
          "prompt %d is empty: give it some text, a line break for instance".formatted(row));
    }
    return tokenizer.encode(prompt);
  }
}
