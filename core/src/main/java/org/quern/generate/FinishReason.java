package org.quern.generate;

/// Why a text ended.
public enum FinishReason {
  /// It has as many tokens as were asked for.
  MAX_TOKENS,
  /// It reached a stop string, which is not part of it.
  STOP,
  /// The model drew the end-of-text token.
  END_OF_TEXT,
  /// It filled the model's context.
  CONTEXT_FULL,
  /// The listener said so, or the thread was interrupted.
  CANCELLED
}
