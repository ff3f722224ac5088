package org.quern.generate;

/// How a token is chosen from logits. The filters apply in this order, each to what the one before
/// left:
///
/// 1. the repetition penalty changes the logits of tokens that the text holds already;
/// 2. the temperature divides them; at 0 the highest one is taken, and the rest does not apply;
/// 3. top-k keeps the k most probable tokens;
/// 4. top-p keeps the fewest most probable ones of these that hold at least p of their probability
///    (nucleus sampling, arXiv:1904.09751);
/// 5. min-p keeps those at least p times as probable as the most probable one (arXiv:2407.01082).
///
/// One token is drawn from what is left, in proportion. Of equally probable tokens the one with the
/// lowest id comes first everywhere. Random numbers come from [org.quern.core.Philox], so that a
/// seed draws the same tokens from the same logits on every machine.
///
/// @param temperature from 0 (greedy) on; 1 leaves the model's probabilities as they are
/// @param topK how many tokens to keep; 0 keeps all
/// @param topP the probability to keep, in (0, 1]; 1 keeps all
/// @param minP the share of the highest probability that is enough, in (0, 1); 0 keeps all
/// @param repetitionPenalty positive logits of tokens in the text are divided by it, negative ones
///   multiplied (arXiv:1909.05858, section 4.1, which takes 1.2; there logits are positive); 1 does
///   nothing, below 1 favours repetition
/// @param seed of the random numbers
public record Sampling(
    double temperature, int topK, double topP, double minP, double repetitionPenalty, long seed) {
  /// Always the most probable token.
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 0, 1, 0);

  /// The model's own probabilities.
  public static final Sampling PLAIN = new Sampling(1, 0, 1, 0, 1, 0);

  /// Checks the numbers.
  ///
  /// @throws IllegalArgumentException if one is out of range, naming it
  public Sampling {
    require(
        temperature >= 0 && temperature < Double.POSITIVE_INFINITY,
        "temperature must be 0 (greedy) or a positive number, found %s",
        temperature);
    require(topK >= 0, "top-k must be 0 (keeps all tokens) or positive, found %s", topK);
    require(
        topP > 0 && topP <= 1, "top-p must be above 0 and at most 1 (keeps all), found %s", topP);
    require(minP >= 0 && minP <= 1, "min-p must be from 0 (keeps all) to 1, found %s", minP);
    require(
        repetitionPenalty > 0 && repetitionPenalty < Double.POSITIVE_INFINITY,
        "repetition penalty must be a positive number, 1 for none, found %s",
        repetitionPenalty);
  }

  private static void require(boolean ok, String message, Object found) {
    if (!ok) {
      throw new IllegalArgumentException(message.formatted(found));
    }
  }

  /// {@return this with another temperature}
  ///
  /// @param value from 0 (greedy) on
  public Sampling withTemperature(double value) {
    return new Sampling(value, topK, topP, minP, repetitionPenalty, seed);
  }

  /// {@return this with another number of tokens to keep}
  ///
  /// @param value 0 keeps all
  public Sampling withTopK(int value) {
    return new Sampling(temperature, value, topP, minP, repetitionPenalty, seed);
  }

  /// {@return this with another probability to keep}
  ///
  /// @param value in (0, 1]
  public Sampling withTopP(double value) {
    return new Sampling(temperature, topK, value, minP, repetitionPenalty, seed);
  }

  /// {@return this with another least share of the highest probability}
  ///
  /// @param value in (0, 1)
  public Sampling withMinP(double value) {
    return new Sampling(temperature, topK, topP, value, repetitionPenalty, seed);
  }

  /// {@return this with another repetition penalty}
  ///
  /// @param value positive; 1 for none
  public Sampling withRepetitionPenalty(double value) {
    return new Sampling(temperature, topK, topP, minP, value, seed);
  }

  /// {@return this with another seed}
  ///
  /// @param value any
  public Sampling withSeed(long value) {
    return new Sampling(temperature, topK, topP, minP, repetitionPenalty, value);
  }
}
