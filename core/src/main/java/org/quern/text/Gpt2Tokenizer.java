package org.quern.text;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import com.knuddels.jtokkit.api.IntArrayList;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/// GPT-2's own tokenizer, built in: byte-level byte-pair encoding with 50257 tokens, the last of
/// which is `<|endoftext|>` (Radford et al., "Language models are unsupervised multitask learners",
/// 2019, section 2.2). The work is JTokkit's `r50k_base`.
///
/// A byte that is no part of well-formed UTF-8 becomes a token of its own.
public final class Gpt2Tokenizer implements Tokenizer {
  /// The token that ends a text.
  public static final int END_OF_TEXT = 50256;

  private final Encoding encoding;
  private final byte[][] bytes = new byte[END_OF_TEXT + 1][];
  private final int[] byteTokens = new int[256];

  private Gpt2Tokenizer() {
    encoding = Encodings.newLazyEncodingRegistry().getEncoding(EncodingType.R50K_BASE);
    IntArrayList one = new IntArrayList(1);
    one.add(0);
    for (int id = 0; id < END_OF_TEXT; id++) {
      one.set(0, id);
      bytes[id] = encoding.decodeBytes(one);
      if (bytes[id].length == 1) {
        byteTokens[bytes[id][0] & 0xFF] = id;
      }
    }
    bytes[END_OF_TEXT] = Texts.utf8(BpeTokenizer.END_MARK);
  }

  private static final class Holder {
    static final Gpt2Tokenizer INSTANCE = new Gpt2Tokenizer();
  }

  /// {@return the tokenizer, read at the first call}
  public static Gpt2Tokenizer get() {
    return Holder.INSTANCE;
  }

  /// {@return the same tokenizer as a vocabulary and its merges, to be stored in files}
  ///
  /// Ids are ranks: token `i` is what merge `i - 256` made, of the two tokens that its bytes become
  /// when only earlier merges are done.
  public BpeTokenizer toBpe() {
    Map<String, Integer> ids = new LinkedHashMap<>();
    for (int id = 0; id <= END_OF_TEXT; id++) {
      ids.put(id == END_OF_TEXT ? BpeTokenizer.END_MARK : ByteAlphabet.spell(bytes[id]), id);
    }
    PairTable pairs = new PairTable(END_OF_TEXT);
    List<BpeTokenizer.Merge> merges = new ArrayList<>();
    for (int id = 256; id < END_OF_TEXT; id++) {
      int[] tokens = new int[bytes[id].length];
      for (int i = 0; i < tokens.length; i++) {
        tokens[i] = byteTokens[bytes[id][i] & 0xFF];
      }
      int[] two = new PieceMerger(pairs, tokens).merge();
      if (two.length != 2) {
        throw new AssertionError("token %d is no merge of two".formatted(id));
      }
      pairs.put(two[0], two[1], id, id);
      merges.add(
          new BpeTokenizer.Merge(
              ByteAlphabet.spell(bytes[two[0]]), ByteAlphabet.spell(bytes[two[1]])));
    }
    return BpeTokenizer.of(ids, merges);
  }

  @Override
  public int vocabulary() {
    return END_OF_TEXT + 1;
  }

  @Override
  public int[] encode(byte[] utf8) {
    Ids out = new Ids();
    Texts.split(
        utf8,
        text -> out.addAll(encoding.encodeOrdinary(text).toArray()),
        stray -> out.add(byteTokens[stray & 0xFF]));
    return out.toArray();
  }

  @Override
  public byte[] bytes(int id) {
    if (id < 0 || id > END_OF_TEXT) {
      throw Texts.noSuchToken(id, vocabulary());
    }
    return bytes[id].clone();
  }

  @Override
  public OptionalInt endOfText() {
    return OptionalInt.of(END_OF_TEXT);
  }

  @Override
  public String description() {
    return "GPT-2's byte-level BPE, 50257 tokens, built in";
  }
}
