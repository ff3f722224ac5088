package org.quern.train;

import java.util.Arrays;

/// Tokens to learn from, and tokens to be tested on, which are the last ones of the text.
///
/// @param train to learn from
/// @param validation to be tested on
// Arrays of millions of tokens are handed on as they are; nobody compares splits.
@SuppressWarnings("ArrayRecordComponent")
public record TokenSplit(int[] train, int[] validation) {
  /// {@return the tokens, cut in two}
  ///
  /// @param tokens of the whole text
  /// @param share of them for validation, at the end: nanoGPT's is 0.1
  /// @param context T; each part must hold an example of it
  /// @throws IllegalArgumentException if the text is too short for that
  public static TokenSplit of(int[] tokens, double share, int context) {
    if (!(share > 0 && share < 1)) {
      throw new IllegalArgumentException(
          "the share of validation must be in (0, 1), found " + share);
    }
    int cut = (int) (tokens.length * (1 - share));
    if (cut < context + 1 || tokens.length - cut < context + 1) {
      throw new IllegalArgumentException(
          ("the text is too short: of its %d tokens, %d are for training and %d for validation,"
                  + " but each part needs %d, one more than the context; use more text or a"
                  + " smaller context")
              .formatted(tokens.length, cut, tokens.length - cut, context + 1));
    }
    return new TokenSplit(
        Arrays.copyOf(tokens, cut), Arrays.copyOfRange(tokens, cut, tokens.length));
  }
}
