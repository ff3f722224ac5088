package org.quern.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.OptionalInt;

/// One token a character (code point), numbered in the order of the code points. For small models
/// of small texts; stored with its model, since no two texts have the same characters.
public final class CharTokenizer implements Tokenizer {
  private final int[] codePoints; // ascending

  private CharTokenizer(int[] codePoints) {
    this.codePoints = codePoints;
  }

  /// {@return the tokenizer of the characters that a text has}
  ///
  /// @param text not empty, well-formed
  /// @throws IllegalArgumentException if the text is empty or has an unpaired surrogate
  public static CharTokenizer of(String text) {
    return ofCodePoints(text.codePoints().sorted().distinct().toArray());
  }

  /// {@return the tokenizer whose token `i` is code point `i` of these}
  ///
  /// @param codePoints ascending, Unicode scalar values
  /// @throws IllegalArgumentException if there is none, they are not ascending, or one is no
  ///   Unicode scalar value
  public static CharTokenizer ofCodePoints(int... codePoints) {
    if (codePoints.length == 0) {
      throw new IllegalArgumentException("characters: at least one is needed, found none");
    }
    int last = -1;
    for (int c : codePoints) {
      if (!Character.isValidCodePoint(c) || (c >= 0xD800 && c <= 0xDFFF)) {
        throw new IllegalArgumentException(
            "characters: expected Unicode scalar values, found %s".formatted(name(c)));
      }
      if (c <= last) {
        throw new IllegalArgumentException(
            "characters: expected ascending code points, found %s behind %s"
                .formatted(name(c), name(last)));
      }
      last = c;
    }
    return new CharTokenizer(codePoints.clone());
  }

  /// {@return the characters; token `i` is number `i`}
  public int[] codePoints() {
    return codePoints.clone();
  }

  @Override
  public int vocabulary() {
    return codePoints.length;
  }

  @Override
  public int[] encode(String text) {
    int[] out = new int[text.codePointCount(0, text.length())];
    int n = 0;
    for (int at = 0; at < text.length(); n++) {
      int c = text.codePointAt(at);
      out[n] = Arrays.binarySearch(codePoints, c);
      if (out[n] < 0) {
        throw new IllegalArgumentException(
            ("character %s at %d is not among the %d that this model knows; leave it out, or train"
                    + " a model on text that has it")
                .formatted(name(c), at, codePoints.length));
      }
      at += Character.charCount(c);
    }
    return out;
  }

  /// {@inheritDoc}
  ///
  /// @throws IllegalArgumentException also if the bytes are not UTF-8
  @Override
  public int[] encode(byte[] utf8) {
    Ids out = new Ids();
    Texts.split(
        utf8,
        text -> out.addAll(encode(text)),
        stray -> {
          throw new IllegalArgumentException(
              "byte 0x%02X is not UTF-8, and a character tokenizer has no token for it"
                  .formatted(stray & 0xFF));
        });
    return out.toArray();
  }

  @Override
  public byte[] bytes(int id) {
    if (id < 0 || id >= codePoints.length) {
      throw Texts.noSuchToken(id, codePoints.length);
    }
    return Character.toString(codePoints[id]).getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public OptionalInt endOfText() {
    return OptionalInt.empty();
  }

  @Override
  public String description() {
    return "characters, %d".formatted(codePoints.length);
  }

  private static String name(int codePoint) {
    return Character.isValidCodePoint(codePoint)
            && !Character.isISOControl(codePoint)
            && (codePoint < 0xD800 || codePoint > 0xDFFF)
        ? "U+%04X '%s'".formatted(codePoint, Character.toString(codePoint))
        : "U+%04X".formatted(codePoint);
  }
}
