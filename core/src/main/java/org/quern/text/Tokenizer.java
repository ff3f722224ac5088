package org.quern.text;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;

/// Turns text into token ids and back. Immutable, so that threads may share it.
///
/// A tokenizer is lossless: `decode(encode(text))` is the text for every well-formed string, and
/// the bytes of the tokens of [#encode(byte\[\])] are the bytes given.
public interface Tokenizer {
  /// What text that spells a special token, `<|endoftext|>`, turns into.
  enum Special {
    /// The tokens of its characters: right for text that others wrote.
    AS_TEXT,
    /// The special token.
    PARSED
  }

  /// {@return how many ids there are: one more than the largest}
  int vocabulary();

  /// {@return the ids of a text, in which special tokens are text like any other}
  ///
  /// @param text any string; an unpaired surrogate counts as U+FFFD
  /// @throws IllegalArgumentException if the text has a character that the vocabulary lacks, naming
  ///   it
  default int[] encode(String text) {
    return encode(Texts.utf8(text));
  }

  /// {@return the ids of bytes that should be UTF-8}
  ///
  /// @param utf8 the bytes; a byte-level tokenizer takes any
  /// @throws IllegalArgumentException if the vocabulary lacks one of the characters, naming it
  int[] encode(byte[] utf8);

  /// {@return the ids of a text}
  ///
  /// @param text any string
  /// @param special what becomes of text that spells the end of a text
  /// @throws IllegalArgumentException if the vocabulary lacks one of the characters, naming it
  default int[] encode(String text, Special special) {
    OptionalInt end = endOfText();
    if (special == Special.AS_TEXT || end.isEmpty()) {
      return encode(text);
    }
    String mark = decode(end.getAsInt());
    int[] out = new int[0];
    int from = 0;
    for (int at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, from)) {
      out = Texts.join(out, encode(text.substring(from, at)), end.getAsInt());
      from = at + mark.length();
    }
    return Texts.join(out, encode(text.substring(from)));
  }

  /// {@return the bytes of a token, often no complete character}
  ///
  /// @param id from 0 to [#vocabulary], exclusive
  /// @throws IllegalArgumentException if there is no such token
  byte[] bytes(int id);

  /// {@return the bytes of tokens in a row}
  ///
  /// @param ids the tokens
  /// @throws IllegalArgumentException if there is no such token
  default byte[] bytes(int[] ids) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (int id : ids) {
      out.writeBytes(bytes(id));
    }
    return out.toByteArray();
  }

  /// {@return the text of tokens; bytes that are not UTF-8 become U+FFFD}
  ///
  /// @param ids the tokens
  /// @throws IllegalArgumentException if there is no such token
  default String decode(int... ids) {
    return new String(bytes(ids), StandardCharsets.UTF_8);
  }

  /// {@return the token that ends a text, if there is one}
  OptionalInt endOfText();

  /// {@return what this is, in a few words, for people}
  String description();
}
