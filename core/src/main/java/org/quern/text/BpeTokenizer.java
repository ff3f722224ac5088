package org.quern.text;

import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/// Byte-level byte-pair encoding as GPT-2 does it, with any vocabulary.
@SuppressWarnings("DoNotCallSuggester")
public final class BpeTokenizer implements Tokenizer {
  private BpeTokenizer() {}

  /// A pair of tokens that become one.
  ///
  /// @param left the first, spelled as in `vocab.json`
  /// @param right the second
  public record Merge(String left, String right) {}

  /// {@return the tokenizer with a vocabulary and its merges}
  ///
  /// @param vocabulary ids by token, tokens spelled with one printable character a byte
  /// @param merges in order of rank, the first first
  /// @throws IllegalArgumentException if they do not fit together, naming the merge
  public static BpeTokenizer of(Map<String, Integer> vocabulary, List<Merge> merges) {
    throw new UnsupportedOperationException("being written");
  }

  @Override
  public int vocabulary() {
    throw new UnsupportedOperationException("being written");
  }

  @Override
  public int[] encode(byte[] utf8) {
    throw new UnsupportedOperationException("being written");
  }

  @Override
  public byte[] bytes(int id) {
    throw new UnsupportedOperationException("being written");
  }

  @Override
  public OptionalInt endOfText() {
    throw new UnsupportedOperationException("being written");
  }

  @Override
  public String description() {
    throw new UnsupportedOperationException("being written");
  }
}
