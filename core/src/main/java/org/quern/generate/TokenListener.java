package org.quern.generate;

import java.util.function.Consumer;

/// Hears of each token as soon as it is drawn, on the thread that generates.
@FunctionalInterface
public interface TokenListener {
  /// Hears nothing.
  TokenListener NONE = event -> Next.CONTINUE;

  /// Whether to go on.
  enum Next {
    /// Draw more tokens.
    CONTINUE,
    /// End this text with [FinishReason#CANCELLED]; others of the batch go on.
    STOP
  }

  /// Hears of a token.
  ///
  /// @param event the token and the text that it adds
  /// @return whether to go on with this text
  Next onToken(TokenEvent event);

  /// {@return a listener that passes on text, and never stops}
  ///
  /// @param sink takes each piece that is not empty
  static TokenListener text(Consumer<String> sink) {
    return event -> {
      if (!event.text().isEmpty()) {
        sink.accept(event.text());
      }
      return Next.CONTINUE;
    };
  }
}
