package org.quern.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import org.quern.text.Tokenizer;

/// Text for people.
final class Text {
  private static final Pattern SPACES = Pattern.compile("\\s+");

  private Text() {}

  /// {@return a time with its unit, such as `1.23 ms`}
  static String seconds(double seconds) {
    return seconds < 1e-3
        ? digits(seconds * 1e6, "us")
        : seconds < 1 ? digits(seconds * 1e3, "ms") : digits(seconds, "s");
  }

  private static String digits(double x, String unit) {
    return String.format(
        Locale.ROOT, x < 10 ? "%.2f %s" : x < 100 ? "%.1f %s" : "%.0f %s", x, unit);
  }

  /// {@return a rate, without its unit: one digit behind the point where that says something}
  static String rate(double x) {
    return String.format(Locale.ROOT, x < 1000 ? "%.1f" : "%.0f", x);
  }

  /// {@return a size with its unit, such as `256 MiB`}
  static String bytes(long bytes) {
    return bytes < 1 << 20
        ? "%d KiB".formatted((bytes + 1023) >> 10)
        : String.format(Locale.ROOT, "%.0f MiB", bytes / (double) (1 << 20));
  }

  /// {@return the text in lines of that width, broken at spaces; a longer word has its own line}
  static List<String> wrap(String text, int width) {
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (String word : SPACES.split(text.strip(), -1)) {
      if (!line.isEmpty() && line.length() + 1 + word.length() > width) {
        lines.add(line.toString());
        line.setLength(0);
      }
      line.append(line.isEmpty() ? "" : " ").append(word);
    }
    lines.add(line.toString());
    return lines;
  }

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
