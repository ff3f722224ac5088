package org.quern.gpt;

import org.jspecify.annotations.Nullable;

/// A model by name: its numbers, and how its paper trained it.
///
/// @param name as the command line has it, such as `gpt2-medium`
/// @param title what people call it
/// @param source where the numbers are from
/// @param config the numbers
/// @param recipe how its authors trained it, or null: not published, or nobody's
public record Preset(
    String name, String title, String source, GptConfig config, @Nullable Recipe recipe) {
  /// What a paper says of its training.
  ///
  /// @param tokensPerStep the batch size, in tokens
  /// @param learningRate the highest
  public record Recipe(int tokensPerStep, double learningRate) {}
}
