package org.quern.cli;

import java.util.HashMap;
import java.util.Map;
import org.quern.train.TokenSplit;

/// The bigram model without training: counts of pairs, one added to each.
final class BigramCounts {
  private BigramCounts() {}

  /// {@return the mean cross entropy of the validation part, in nats}
  ///
  /// @param split counts are of its training part
  /// @param vocabulary V
  static double validationLoss(TokenSplit split, int vocabulary) {
    Map<Long, Integer> pairs = new HashMap<>();
    int[] firsts = new int[vocabulary];
    int[] train = split.train();
    for (int i = 0; i + 1 < train.length; i++) {
      pairs.merge(pair(train, i), 1, Integer::sum);
      firsts[train[i]]++;
    }
    int[] held = split.validation();
    double sum = 0;
    for (int i = 0; i + 1 < held.length; i++) {
      int count = pairs.getOrDefault(pair(held, i), 0);
      sum -= Math.log((count + 1.0) / (firsts[held[i]] + (double) vocabulary));
    }
    return sum / (held.length - 1);
  }

  private static long pair(int[] tokens, int i) {
    return (long) tokens[i] << 32 | tokens[i + 1];
  }
}
