package org.quern.generate;

/// What happens when a text has filled the model's context.
public enum Overflow {
  /// A prompt longer than the context is refused; a text that reaches it ends there, with
  /// [FinishReason#CONTEXT_FULL].
  STOP,
  /// The window slides. Of a prompt longer than the context the last tokens that fit are seen. When
  /// a text fills the context, the model goes on from the last half of it, which is run through the
  /// model again in one pass; what is before is forgotten.
  SLIDE
}
