package org.quern.text;

/// GPT-2's pieces of text, across whose ends no token reaches. Exactly the matches of
///
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
///
/// with Unicode classes, found without a regular expression: one pass, no stack.
final class PieceSplitter {
  private PieceSplitter() {}

  private enum Category {
    LETTER,
    NUMBER,
    SPACE,
    OTHER
  }

  /// {@return where the piece that starts at `from` ends, exclusive}
  ///
  /// @param text the text
  /// @param from less than its length
  static int end(String text, int from) {
    int contraction = contraction(text, from);
    if (contraction > 0) {
      return from + contraction;
    }
    int start = text.charAt(from) == ' ' && from + 1 < text.length() ? from + 1 : from;
    Category category = category(text.codePointAt(start));
    if (category != Category.SPACE) {
      return run(text, start, category);
    }
    int end = run(text, from, Category.SPACE);
    // The last space goes with what follows it. Every space is one char long.
    return end == text.length() || end == from + 1 ? end : end - 1;
  }

  private static int contraction(String text, int from) {
    if (text.charAt(from) != '\'' || from + 1 == text.length()) {
      return 0;
    }
    return switch (text.charAt(from + 1)) {
      case 's', 't', 'm', 'd' -> 2;
      case 'r', 'v' -> text.startsWith("e", from + 2) ? 3 : 0;
      case 'l' -> text.startsWith("l", from + 2) ? 3 : 0;
      default -> 0;
    };
  }

  private static int run(String text, int from, Category category) {
    int at = from;
    while (at < text.length()) {
      int c = text.codePointAt(at);
      if (category(c) != category) {
        return at;
      }
      at += Character.charCount(c);
    }
    return at;
  }

  private static Category category(int c) {
    return switch (Character.getType(c)) {
      case Character.UPPERCASE_LETTER,
          Character.LOWERCASE_LETTER,
          Character.TITLECASE_LETTER,
          Character.MODIFIER_LETTER,
          Character.OTHER_LETTER ->
          Category.LETTER;
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER ->
          Category.NUMBER;
      case Character.SPACE_SEPARATOR, Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR ->
          Category.SPACE;
      default -> (c >= '\t' && c <= '\r') || c == 0x85 ? Category.SPACE : Category.OTHER;
    };
  }
}
