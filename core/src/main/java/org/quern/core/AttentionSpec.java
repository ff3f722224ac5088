package org.quern.core;

/// How attention weighs its keys (arXiv:1706.03762, equation 1): softmax over the visible keys of
/// `scale * q.k`, then dropout of the weights.
///
/// @param mask which keys are visible
/// @param scale the factor on `q.k`, `1 / sqrt(D)` in every GPT
/// @param dropout the share of weights dropped, from 0 (none) to below 1; kept ones are divided by
///   `1 - dropout`. Element `((b * H + h) * S + i) * T + j` is dropped as [Philox#keeps] says
/// @param seed of the dropout
public record AttentionSpec(Mask mask, float scale, float dropout, long seed) {
  /// Checks the rate.
  ///
  /// @throws IllegalArgumentException if dropout is not in [0, 1)
  public AttentionSpec {
    if (!(dropout >= 0 && dropout < 1)) {
      throw new IllegalArgumentException("attention: dropout must be in [0, 1), found " + dropout);
    }
  }

  /// {@return a specification without dropout}
  ///
  /// @param mask which keys are visible
  /// @param scale the factor on `q.k`
  public static AttentionSpec of(Mask mask, float scale) {
    return new AttentionSpec(mask, scale, 0, 0);
  }
}
