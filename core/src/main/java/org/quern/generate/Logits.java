package org.quern.generate;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/// Reads a row of logits, `log p` up to a constant; arithmetic is float64.
public final class Logits {
  private Logits() {}

  /// A token that may come next.
  ///
  /// @param id of the token
  /// @param logit of the model
  /// @param logProbability its natural logarithm, among all tokens
  public record Candidate(int id, float logit, double logProbability) {}

  /// {@return the natural logarithm of a token's probability, `x[id] - log sum_j exp(x[j])`}
  ///
  /// @param logits (V)
  /// @param id of the token
  /// @throws IllegalArgumentException if one is NaN, or none is above negative infinity
  public static double logProbability(float[] logits, int id) {
    return minus(logits[id], logSumExp(logits));
  }

  /// {@return `log sum_j exp(x[j])`, by way of the highest, so that nothing overflows}
  ///
  /// @param logits (V)
  /// @throws IllegalArgumentException if one is NaN, or none is above negative infinity
  public static double logSumExp(float[] logits) {
    double max = check(logits);
    if (max == Double.POSITIVE_INFINITY) {
      return max;
    }
    double sum = 0;
    for (float x : logits) {
      sum += Math.exp(x - max);
    }
    return max + Math.log(sum);
  }

  /// {@return the most probable tokens, the most probable first, equal ones by id}
  ///
  /// @param logits (V)
  /// @param count how many, at most V of them come
  /// @throws IllegalArgumentException if the count is not positive, a logit is NaN, or none is
  ///   above negative infinity
  public static List<Candidate> top(float[] logits, int count) {
    if (count <= 0) {
      throw new IllegalArgumentException("top: at least 1 token, found " + count);
    }
    double lse = logSumExp(logits);
    int n = Math.min(count, logits.length);
    double[] keys = new double[logits.length];
    Arrays.setAll(keys, i -> logits[i]);
    int last = new Selection(keys.length).ranked(keys, n);
    return IntStream.range(0, keys.length)
        .filter(i -> i == last || Selection.before(keys, i, last))
        .mapToObj(i -> new Candidate(i, logits[i], minus(logits[i], lse)))
        .sorted(
            Comparator.comparingDouble((Candidate c) -> -c.logit()).thenComparingInt(Candidate::id))
        .toList();
  }

  /// An infinite logit has all the probability; several share it, each as if it were alone.
  private static double minus(float logit, double lse) {
    return lse == Double.POSITIVE_INFINITY && logit == lse ? 0 : logit - lse;
  }

  /// {@return the highest logit}
  ///
  /// @throws IllegalArgumentException if one is NaN, or none is above negative infinity
  static float check(float[] logits) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < logits.length; i++) {
      float x = logits[i];
      if (Float.isNaN(x)) {
        throw new IllegalArgumentException(
            "the logit of token %d is not a number: the model's weights hold NaN or overflowed,"
                    .formatted(i)
                + " check its file, or the learning rate it was trained with");
      }
      max = Math.max(max, x);
    }
    if (max == Float.NEGATIVE_INFINITY) {
      throw new IllegalArgumentException(
          "all %d logits are negative infinity: no token can follow".formatted(logits.length));
    }
    return max;
  }
}
