package org.quern.text;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;

/// The bytes of tokens, and no way from text to tokens: what a file holds that has no merges.
public final class TokenTable implements Tokenizer {
  private final List<byte[]> tokens;
  private final OptionalInt endOfText;
  private final String origin;

  private TokenTable(List<byte[]> tokens, OptionalInt endOfText, String origin) {
    this.tokens = tokens;
    this.endOfText = endOfText;
    this.origin = origin;
  }

  /// {@return a tokenizer that can only decode}
  ///
  /// @param tokens the bytes of each
  /// @param endOfText the token that ends a text, if there is one
  /// @param origin where they are from, for messages
  /// @throws IllegalArgumentException if there are none, or the end is none of them
  public static TokenTable of(List<byte[]> tokens, OptionalInt endOfText, String origin) {
    if (tokens.isEmpty()) {
      throw new IllegalArgumentException("tokens: at least one is needed, found none");
    }
    if (endOfText.isPresent()
        && (endOfText.getAsInt() < 0 || endOfText.getAsInt() >= tokens.size())) {
      throw new IllegalArgumentException(
          "end of text: expected one of %d tokens, found %d"
              .formatted(tokens.size(), endOfText.getAsInt()));
    }
    return new TokenTable(new ArrayList<>(tokens), endOfText, origin);
  }

  @Override
  public int vocabulary() {
    return tokens.size();
  }

  /// Refuses.
  ///
  /// @throws IllegalArgumentException always, with the remedy
  @Override
  public int[] encode(byte[] utf8) {
    throw new IllegalArgumentException(
        "%s says what tokens mean, but not how to make them of text; put vocab.json and merges.txt beside it, or give --ids"
            .formatted(origin));
  }

  @Override
  public byte[] bytes(int id) {
    if (id < 0 || id >= tokens.size()) {
      throw Texts.noSuchToken(id, tokens.size());
    }
    return tokens.get(id).clone();
  }

  @Override
  public OptionalInt endOfText() {
    return endOfText;
  }

  @Override
  public String description() {
    return "%d tokens of %s, to decode only".formatted(tokens.size(), origin);
  }
}
