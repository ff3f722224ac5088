package org.quern.gpt;

import org.quern.core.Tensor;

/// A named tensor that training changes.
///
/// @param name as in Hugging Face's GPT-2, without the `transformer.` prefix
/// @param tensor F32; linear weights are (O, C)
/// @param init how it starts
public record Parameter(String name, Tensor tensor, Init init) {
  /// How a parameter starts: `mean` plus a normal number times `deviation`.
  ///
  /// @param mean of the numbers
  /// @param deviation of the numbers; 0 for a constant
  public record Init(float mean, float deviation) {}

  /// {@return whether weight decay applies: to matrices, not to biases and gains}
  public boolean decays() {
    return tensor.shape().rank() > 1;
  }
}
