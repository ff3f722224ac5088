package org.quern.generate;

import java.util.List;

/// How a text is generated.
///
/// @param sampling how each token is chosen
/// @param maxTokens the most tokens to draw, from 1
/// @param stops strings that end the text when they appear in it, across tokens too; none empty.
///   They are looked for in what is generated, not in the prompt
/// @param overflow what happens when the text has filled the context
/// @param endOfText what happens when the model draws the end-of-text token
/// @param logProbabilities whether to compute them, which costs a pass over the vocabulary a token
public record GenerationOptions(
    Sampling sampling,
    int maxTokens,
    List<String> stops,
    Overflow overflow,
    EndOfText endOfText,
    LogProbabilities logProbabilities) {
  /// At most 256 tokens at temperature 0.8 from the most probable 95 %, seed 0, until the end of
  /// the text.
  public static final GenerationOptions DEFAULT =
      new GenerationOptions(
          new Sampling(0.8, 0, 0.95, 0, 1, 0),
          256,
          List.of(),
          Overflow.STOP,
          EndOfText.STOP,
          LogProbabilities.NO);

  /// Whether the log-probability of each token is computed.
  public enum LogProbabilities {
    /// It is.
    YES,
    /// It is not.
    NO
  }

  /// Checks the values.
  ///
  /// @throws IllegalArgumentException if maxTokens is not positive, or a stop string is empty or
  ///   not well-formed
  public GenerationOptions {
    if (maxTokens < 1) {
      throw new IllegalArgumentException("max-tokens must be at least 1, found " + maxTokens);
    }
    stops = List.copyOf(stops);
    for (String stop : stops) {
      if (stop.isEmpty()) {
        throw new IllegalArgumentException(
            "a stop string is empty: every text would end at once; leave it out");
      }
      if (stop.codePoints().anyMatch(c -> c >= 0xD800 && c <= 0xDFFF)) {
        throw new IllegalArgumentException(
            "stop string '%s' holds half a surrogate pair, which no text does".formatted(stop));
      }
    }
  }

  /// {@return this with another way to choose tokens}
  ///
  /// @param value how
  public GenerationOptions withSampling(Sampling value) {
    return new GenerationOptions(value, maxTokens, stops, overflow, endOfText, logProbabilities);
  }

  /// {@return this with another temperature}
  ///
  /// @param value from 0 (greedy) on
  public GenerationOptions withTemperature(double value) {
    return withSampling(sampling.withTemperature(value));
  }

  /// {@return this with another seed}
  ///
  /// @param value any
  public GenerationOptions withSeed(long value) {
    return withSampling(sampling.withSeed(value));
  }

  /// {@return this with another limit}
  ///
  /// @param value from 1
  public GenerationOptions withMaxTokens(int value) {
    return new GenerationOptions(sampling, value, stops, overflow, endOfText, logProbabilities);
  }

  /// {@return this with other stop strings}
  ///
  /// @param values none empty
  public GenerationOptions withStops(String... values) {
    return new GenerationOptions(
        sampling, maxTokens, List.of(values), overflow, endOfText, logProbabilities);
  }

  /// {@return this with another rule for a full context}
  ///
  /// @param value stop or slide
  public GenerationOptions withOverflow(Overflow value) {
    return new GenerationOptions(sampling, maxTokens, stops, value, endOfText, logProbabilities);
  }

  /// {@return this with another rule for the end-of-text token}
  ///
  /// @param value stop or ignore
  public GenerationOptions withEndOfText(EndOfText value) {
    return new GenerationOptions(sampling, maxTokens, stops, overflow, value, logProbabilities);
  }

  /// {@return this with log-probabilities or without}
  ///
  /// @param value yes or no
  public GenerationOptions withLogProbabilities(LogProbabilities value) {
    return new GenerationOptions(sampling, maxTokens, stops, overflow, endOfText, value);
  }
}
