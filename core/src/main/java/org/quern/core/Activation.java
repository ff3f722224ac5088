package org.quern.core;

/// The function behind a linear map.
public enum Activation {
  /// `y = x`.
  NONE,
  /// `y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`, GPT-2's form (arXiv:1606.08415).
  GELU_TANH,
  /// `y = x/2 (1 + erf(x / sqrt(2)))` (arXiv:1606.08415).
  GELU_ERF,
  /// `y = max(x, 0)`; its derivative at 0 is 0.
  RELU
}
