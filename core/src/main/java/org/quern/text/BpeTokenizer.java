package org.quern.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// Byte-level byte-pair encoding as GPT-2 does it, with any vocabulary (Radford et al., "Language
/// models are unsupervised multitask learners", 2019, section 2.2): text is cut into pieces at
/// spaces and between letters, numbers and other characters, and the bytes of each piece merge.
///
/// A byte that is no part of well-formed UTF-8 becomes a token of its own.
public final class BpeTokenizer implements Tokenizer {
  /// How the vocabularies of GPT-2 and its kin spell the end of a text.
  public static final String END_MARK = "<|endoftext|>";

  private static final int CACHED_PIECES = 1 << 15;
  private static final int LONGEST_CACHED = 32;

  private final Map<String, Integer> vocabulary;
  private final List<Merge> merges;
  private final Map<Integer, byte[]> bytes = new HashMap<>();
  private final int[] byteTokens = new int[256];
  private final PairTable pairs;
  private final int size;
  private final @Nullable Integer endOfText;
  private final ConcurrentHashMap<String, int[]> cache = new ConcurrentHashMap<>();

  /// Two tokens that become one.
  ///
  /// @param left the first, spelled as in the vocabulary
  /// @param right the second
  public record Merge(String left, String right) {}

  private BpeTokenizer(Map<String, Integer> vocabulary, List<Merge> merges) {
    this.vocabulary = Collections.unmodifiableMap(new LinkedHashMap<>(vocabulary));
    this.merges = List.copyOf(merges);
    int largest = -1;
    for (Map.Entry<String, Integer> e : vocabulary.entrySet()) {
      largest = Math.max(largest, addToken(e.getKey(), e.getValue()));
    }
    if (largest < 0) {
      throw new IllegalArgumentException("vocabulary: expected tokens, found none");
    }
    size = largest + 1;
    endOfText = vocabulary.get(END_MARK);
    Arrays.setAll(byteTokens, b -> vocabulary.getOrDefault(String.valueOf(ByteAlphabet.of(b)), -1));
    pairs = new PairTable(merges.size());
    for (int rank = 0; rank < merges.size(); rank++) {
      addMerge(rank, merges.get(rank));
    }
  }

  private int addToken(String token, int id) {
    if (id < 0 || id == Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "token '%s': expected an id from 0 to 2147483646, found %d".formatted(token, id));
    }
    byte[] spelled = ByteAlphabet.bytes(token);
    byte[] old = bytes.put(id, spelled == null ? Texts.utf8(token) : spelled);
    if (old != null) {
      throw new IllegalArgumentException(
          "token '%s': expected an id of its own, found %d, which is also '%s'"
              .formatted(token, id, new String(old, StandardCharsets.UTF_8)));
    }
    return id;
  }

  private void addMerge(int rank, Merge merge) {
    int left = token(rank, merge.left());
    int right = token(rank, merge.right());
    int merged = token(rank, merge.left() + merge.right());
    if (!pairs.put(left, right, rank, merged)) {
      throw new IllegalArgumentException(
          "merge %d: expected a new pair, found '%s %s' again"
              .formatted(rank + 1, merge.left(), merge.right()));
    }
  }

  private int token(int rank, String token) {
    Integer id = vocabulary.get(token);
    if (id == null) {
      throw new IllegalArgumentException(
          "merge %d: expected tokens of the vocabulary, found '%s', which is none"
              .formatted(rank + 1, token));
    }
    return id;
  }

  /// {@return the tokenizer with a vocabulary and its merges}
  ///
  /// @param vocabulary ids by token; tokens are spelled with one printable character a byte, as in
  ///   GPT-2's `vocab.json`, and those that cannot be so spelled stand for their own text
  /// @param merges in order of rank, the first first
  /// @throws IllegalArgumentException if there are no tokens, two have one id, an id is negative, a
  ///   merge is there twice, or a merge is of or to something that is no token
  public static BpeTokenizer of(Map<String, Integer> vocabulary, List<Merge> merges) {
    return new BpeTokenizer(vocabulary, merges);
  }

  /// {@return the spelling of bytes as a token of a vocabulary: one printable character a byte}
  ///
  /// @param bytes any
  public static String spell(byte[] bytes) {
    return ByteAlphabet.spell(bytes);
  }

  /// {@return ids by token, as given}
  public Map<String, Integer> tokens() {
    return vocabulary;
  }

  /// {@return the merges, as given}
  public List<Merge> merges() {
    return merges;
  }

  @Override
  public int vocabulary() {
    return size;
  }

  @Override
  public int[] encode(byte[] utf8) {
    Ids out = new Ids();
    Texts.split(utf8, text -> encodeInto(out, text), stray -> out.add(byteToken(stray)));
    return out.toArray();
  }

  private void encodeInto(Ids out, String text) {
    for (int from = 0; from < text.length(); ) {
      int end = PieceSplitter.end(text, from);
      out.addAll(encodePiece(text.substring(from, end)));
      from = end;
    }
  }

  private int[] encodePiece(String piece) {
    if (piece.length() > LONGEST_CACHED) {
      return merge(piece);
    }
    int[] known = cache.get(piece);
    if (known != null) {
      return known;
    }
    int[] ids = merge(piece);
    if (cache.size() < CACHED_PIECES) {
      cache.put(piece, ids);
    }
    return ids;
  }

  private int[] merge(String piece) {
    byte[] utf8 = piece.getBytes(StandardCharsets.UTF_8);
    int[] tokens = new int[utf8.length];
    for (int i = 0; i < tokens.length; i++) {
      tokens[i] = byteToken(utf8[i]);
    }
    return new PieceMerger(pairs, tokens).merge();
  }

  private int byteToken(int b) {
    int id = byteTokens[b & 0xFF];
    if (id < 0) {
      throw new IllegalArgumentException(
          "the vocabulary has no token for byte 0x%02X ('%c'); leave out text that has it"
              .formatted(b & 0xFF, ByteAlphabet.of(b & 0xFF)));
    }
    return id;
  }

  @Override
  public byte[] bytes(int id) {
    byte[] found = bytes.get(id);
    if (found == null) {
      throw Texts.noSuchToken(id, size);
    }
    return found.clone();
  }

  @Override
  public OptionalInt endOfText() {
    return endOfText == null ? OptionalInt.empty() : OptionalInt.of(endOfText);
  }

  @Override
  public String description() {
    return "byte-level BPE, %d tokens".formatted(size);
  }
}
