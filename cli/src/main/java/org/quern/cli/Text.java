package org.quern.cli;

import java.util.Optional;
import org.quern.text.Tokenizer;

/// Text for people.
final class Text {
  private Text() {}

  /// {@return the text of a token; empty where the tokenizer, if there is one, has no such token}
  static String of(Optional<Tokenizer> tokenizer, int id) {
    return tokenizer.filter(t -> id < t.vocabulary()).map(t -> t.decode(id)).orElse("");
  }

  /// {@return the text in quotes, with line breaks and other control characters spelled out}
  static String visible(String text) {
    StringBuilder out = new StringBuilder("\"");
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                default -> {
                  if (Character.isISOControl(c)) {
                    out.append("\\u%04x".formatted(c));
                  } else {
                    out.appendCodePoint(c);
                  }
                }
              }
            });
    return out.append('"').toString();
  }
}
