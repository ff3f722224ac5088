package org.quern.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.text.Tokenizer;
import org.quern.text.Utf8Stream;

/// One text that is being generated: its tokens, its text so far, and whether it has ended.
final class Row {
  private static final byte[] NO_BYTES = {};

  private final int row;
  private final List<Integer> prompt;
  private final GenerationOptions options;
  private final Sampler sampler;
  private final @Nullable Tokenizer tokenizer;
  private final Utf8Stream utf8 = new Utf8Stream();
  private final StopStrings stops;
  private final StringBuilder text = new StringBuilder();
  private final List<Integer> ids = new ArrayList<>();
  private final List<Double> logProbabilities = new ArrayList<>();
  private int[] history; // prompt and drawn tokens
  private int length;
  private @Nullable FinishReason reason;

  /// Starts a text.
  ///
  /// @param row names it in events
  /// @param prompt checked
  /// @param options how to generate
  /// @param vocabulary V
  /// @param tokenizer for the text; null when there is none
  Row(
      int row,
      int[] prompt,
      GenerationOptions options,
      int vocabulary,
      @Nullable Tokenizer tokenizer) {
    this.row = row;
    this.prompt = Arrays.stream(prompt).boxed().toList();
    this.options = options;
    this.sampler = new Sampler(options.sampling(), vocabulary);
    sampler.see(prompt);
    this.tokenizer = tokenizer;
    this.stops = new StopStrings(options.stops());
    this.history = prompt.clone();
    this.length = prompt.length;
  }

  boolean ended() {
    return reason != null;
  }

  Overflow overflow() {
    return options.overflow();
  }

  /// {@return the last tokens of the text}
  ///
  /// @param count at most this many
  int[] last(int count) {
    return Arrays.copyOfRange(history, Math.max(0, length - count), length);
  }

  /// {@return the token drawn last}
  int lastToken() {
    return history[length - 1];
  }

  /// Draws the next token, and tells the listener.
  ///
  /// @param logits (V)
  /// @param full whether the model has no room for the token, and will not slide
  /// @param listener who hears of it
  void draw(float[] logits, boolean full, TokenListener listener) {
    int id = sampler.next(logits);
    boolean wanted = options.logProbabilities() == GenerationOptions.LogProbabilities.YES;
    double logProbability = wanted ? Logits.logProbability(logits, id) : Double.NaN;
    if (wanted) {
      logProbabilities.add(logProbability);
    }
    ids.add(id);
    if (length == history.length) {
      history = Arrays.copyOf(history, length + length / 2 + 16);
    }
    history[length++] = id;
    String piece = advance(id, full);
    text.append(piece);
    TokenEvent event = new TokenEvent(row, ids.size() - 1, id, piece, logProbability);
    if (listener.onToken(event) == TokenListener.Next.STOP && reason == null) {
      cancel();
    }
  }

  /// Sets the reason if the text ends with a token.
  ///
  /// @return the text that is certain after it
  private String advance(int id, boolean full) {
    if (tokenizer != null
        && options.endOfText() == EndOfText.STOP
        && tokenizer.endOfText().orElse(-1) == id) {
      reason = FinishReason.END_OF_TEXT;
      return rest();
    }
    String piece = stops.append(utf8.add(bytes(id)));
    if (stops.found()) {
      reason = FinishReason.STOP;
    } else if (ids.size() == options.maxTokens()) {
      reason = FinishReason.MAX_TOKENS;
    } else if (full) {
      reason = FinishReason.CONTEXT_FULL;
    }
    return reason == null ? piece : piece + rest();
  }

  /// {@return the bytes of a token; none for one that pads the model's vocabulary}
  private byte[] bytes(int id) {
    return tokenizer == null || id >= tokenizer.vocabulary() ? NO_BYTES : tokenizer.bytes(id);
  }

  /// {@return what was held back}
  private String rest() {
    return stops.append(utf8.finish()) + stops.finish();
  }

  /// Ends the text; what was held back still is part of it.
  void cancel() {
    reason = FinishReason.CANCELLED;
    text.append(rest());
  }

  /// {@return the text, which has ended}
  Generation result() {
    if (reason == null) {
      throw new IllegalStateException("text %d has not ended".formatted(row));
    }
    return new Generation(
        prompt, List.copyOf(ids), text.toString(), List.copyOf(logProbabilities), reason);
  }
}
