package org.quern.generate;

import java.util.BitSet;
import org.quern.core.Philox;

/// Draws the tokens of one text, as its [Sampling] says; arithmetic is float64. Belongs to one
/// thread.
///
/// Token number n of the text uses random number n of the seed, whatever happens in other texts: a
/// text in a batch draws what it would draw alone.
public final class Sampler {
  /// The upper half of Philox's counter, which keeps these numbers apart from those of dropout and
  /// of initial weights under the same seed.
  private static final long STREAM = 0x53414D50L << 32;

  private final Sampling sampling;
  private final BitSet seen = new BitSet();
  private final double[] scores; // (V), penalized logits
  private final double[] weights; // (V), proportional to probabilities; 0 for what is left out
  private final Selection selection;
  private final int[] words = new int[4];
  private long drawn;

  /// Starts a text.
  ///
  /// @param sampling how to choose
  /// @param vocabulary V
  public Sampler(Sampling sampling, int vocabulary) {
    this.sampling = sampling;
    this.scores = new double[vocabulary];
    this.weights = new double[vocabulary];
    this.selection = new Selection(vocabulary);
  }

  /// Tells of tokens in the text, which the repetition penalty then applies to. [#next] tells of
  /// its own.
  ///
  /// @param ids the prompt, for instance
  public void see(int... ids) {
    for (int id : ids) {
      seen.set(id);
    }
  }

  /// {@return the next token, which then counts as part of the text}
  ///
  /// @param logits (V); positive infinity takes all probability, negative infinity none
  /// @throws IllegalArgumentException if there are not V, one is NaN, or none is above negative
  ///   infinity
  public int next(float[] logits) {
    int best = penalize(logits);
    int id = sampling.temperature() == 0 ? best : draw(best);
    drawn++;
    seen.set(id);
    return id;
  }

  /// {@return the probabilities that [#next] would draw from, (V)}
  ///
  /// @param logits (V)
  /// @throws IllegalArgumentException as [#next]
  public double[] probabilities(float[] logits) {
    int best = penalize(logits);
    double[] out = new double[logits.length];
    if (sampling.temperature() == 0) {
      out[best] = 1;
      return out;
    }
    double total = weigh(best);
    for (int i = 0; i < out.length; i++) {
      out[i] = weights[i] / total;
    }
    return out;
  }

  /// Fills [#scores].
  ///
  /// @return the id of the highest, the lowest of equals
  private int penalize(float[] logits) {
    if (logits.length != scores.length) {
      throw new IllegalArgumentException(
          "sampler: expected %d logits, found %d".formatted(scores.length, logits.length));
    }
    Logits.check(logits);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = logits[i];
    }
    double penalty = sampling.repetitionPenalty();
    if (penalty != 1) {
      for (int i = seen.nextSetBit(0); i >= 0 && i < scores.length; i = seen.nextSetBit(i + 1)) {
        scores[i] = scores[i] > 0 ? scores[i] / penalty : scores[i] * penalty;
      }
    }
    int best = 0;
    for (int i = 1; i < scores.length; i++) {
      if (scores[i] > scores[best]) {
        best = i;
      }
    }
    return best;
  }

  private int draw(int best) {
    double target = uniform() * weigh(best);
    double sum = 0;
    int last = best;
    for (int i = 0; i < weights.length; i++) {
      if (weights[i] > 0) {
        sum += weights[i];
        last = i;
        if (sum > target) {
          return i;
        }
      }
    }
    return last; // rounding left the sum at or below the target
  }

  /// {@return random number [#drawn], in [0, 1), 53 bits}
  private double uniform() {
    Philox.block(words, sampling.seed(), drawn, STREAM);
    long high = Integer.toUnsignedLong(words[0]) >>> 5;
    long low = Integer.toUnsignedLong(words[1]) >>> 6;
    return ((high << 26) + low) * 0x1p-53;
  }

  /// Fills [#weights], 0 for what the filters leave out.
  ///
  /// @return their sum, in the order of ids
  private double weigh(int best) {
    int n = weights.length;
    int k = sampling.topK();
    double max = scores[best];
    boolean filtered = k > 0 && k < n;
    int boundary = filtered ? selection.ranked(scores, k) : -1;
    for (int i = 0; i < n; i++) {
      boolean kept = !filtered || i == boundary || Selection.before(scores, i, boundary);
      weights[i] = kept ? weight(scores[i], max) : 0;
    }
    double total = sum();
    if (sampling.topP() < 1) {
      // All weights below this sum to less than half of what top-p leaves out.
      double least = 0.5 * (1 - sampling.topP()) * total / n;
      int last = selection.holding(weights, sampling.topP() * total, least);
      for (int i = 0; i < n; i++) {
        weights[i] = i == last || Selection.before(weights, i, last) ? weights[i] : 0;
      }
    }
    if (sampling.minP() > 0) {
      double least = sampling.minP(); // the highest weight is 1
      for (int i = 0; i < n; i++) {
        weights[i] = weights[i] >= least ? weights[i] : 0;
      }
    }
    return sum();
  }

  /// {@return `exp((score - max) / temperature)`, at most 1 and never NaN}
  private double weight(double score, double max) {
    if (score == max) {
      return 1; // also when both are infinite
    }
    // StrictMath: the same bits on every machine
    return StrictMath.exp((score - max) / sampling.temperature());
  }

  private double sum() {
    double sum = 0;
    for (double w : weights) {
      sum += w;
    }
    return sum;
  }
}
