package org.quern.generate;

/// What happens when the model draws the tokenizer's end-of-text token.
public enum EndOfText {
  /// The text ends; the token's own text is not part of it.
  STOP,
  /// It is a token like any other.
  IGNORE
}
