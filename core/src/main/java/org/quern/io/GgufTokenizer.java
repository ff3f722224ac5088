package org.quern.io;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import org.quern.text.BpeTokenizer;
import org.quern.text.CharTokenizer;
import org.quern.text.Gpt2Tokenizer;
import org.quern.text.TokenTable;
import org.quern.text.Tokenizer;

/// Tokenizers in GGUF: byte-level BPE as `gpt2`, in the keys of llama.cpp. Quern's others are
/// written as one without merges, which decodes alike everywhere, and with a key of our own that
/// says what they are: `quern.tokenizer`, `characters` or `decode_only`.
final class GgufTokenizer {
  private static final String MODEL = "tokenizer.ggml.model";
  private static final String CUT = "tokenizer.ggml.pre";
  private static final String TOKENS = "tokenizer.ggml.tokens";
  private static final String TYPES = "tokenizer.ggml.token_type";
  private static final String MERGES = "tokenizer.ggml.merges";
  private static final String BEGIN = "tokenizer.ggml.bos_token_id";
  private static final String END = "tokenizer.ggml.eos_token_id";
  private static final String OWN = "quern.tokenizer";
  private static final String CHARACTERS = "characters";
  private static final String DECODE_ONLY = "decode_only";

  private static final int NORMAL = 1;
  private static final int CONTROL = 3;
  private static final int UNUSED = 5;

  private GgufTokenizer() {}

  static Optional<Tokenizer> read(GgufReader header) {
    String model = header.text(MODEL);
    if (model == null || model.equals("no_vocab")) {
      return Optional.empty();
    }
    if (!model.equals("gpt2")) {
      throw header.bad(
          GgufReader.key(MODEL), "gpt2 or no_vocab", "'%s'".formatted(Json.shortened(model)));
    }
    String cut = header.text(CUT);
    if (cut != null && !cut.equals("gpt-2") && !cut.equals("default")) {
      throw header.bad(
          GgufReader.key(CUT),
          "gpt-2",
          "'%s', which cuts text otherwise".formatted(Json.shortened(cut)));
    }
    BpeTokenizer bpe = bpe(header);
    String own = header.text(OWN);
    try {
      return Optional.of(own == null ? bpe : own(header, own, bpe));
    } catch (IllegalArgumentException e) {
      throw new FormatException(
          header.name(), GgufReader.key(TOKENS), "a tokenizer", "" + e.getMessage(), null, e);
    }
  }

  private static BpeTokenizer bpe(GgufReader header) {
    List<String> tokens = header.texts(TOKENS);
    if (tokens == null) {
      throw header.bad(GgufReader.key(TOKENS), "a list of texts", "none");
    }
    int[] types = header.numbers(TYPES);
    if (types != null && types.length != tokens.size()) {
      throw header.bad(
          GgufReader.key(TYPES), "%d numbers".formatted(tokens.size()), "" + types.length);
    }
    Map<String, Integer> ids = new LinkedHashMap<>();
    for (int id = 0; id < tokens.size(); id++) {
      if (types != null && types[id] == UNUSED) {
        continue;
      }
      if (ids.put(tokens.get(id), id) != null) {
        throw header.bad(
            GgufReader.key(TOKENS),
            "each token once",
            "'%s' twice".formatted(Json.shortened(tokens.get(id))));
      }
    }
    List<BpeTokenizer.Merge> merges = new ArrayList<>();
    List<String> lines = header.texts(MERGES);
    for (String line : lines == null ? List.<String>of() : lines) {
      merges.add(TokenizerFiles.merge(header.name(), merges.size() + 1, line));
    }
    try {
      return BpeTokenizer.of(ids, merges);
    } catch (IllegalArgumentException e) {
      throw new FormatException(
          header.name(), "tokens and merges", "a tokenizer", "" + e.getMessage(), null, e);
    }
  }

  private static Tokenizer own(GgufReader header, String kind, BpeTokenizer spelled) {
    List<byte[]> tokens = new ArrayList<>();
    for (int id = 0; id < spelled.vocabulary(); id++) {
      tokens.add(spelled.bytes(id));
    }
    return switch (kind) {
      case CHARACTERS ->
          CharTokenizer.ofCodePoints(
              tokens.stream().mapToInt(GgufTokenizer::onlyCharacter).toArray());
      case DECODE_ONLY -> {
        long end = header.number(END, -1);
        yield TokenTable.of(
            tokens,
            end < 0 ? OptionalInt.empty() : OptionalInt.of((int) Math.min(end, Integer.MAX_VALUE)),
            header.name());
      }
      default ->
          throw header.bad(
              GgufReader.key(OWN),
              "characters or decode_only",
              "'%s'".formatted(Json.shortened(kind)));
    };
  }

  private static int onlyCharacter(byte[] token) {
    int[] characters = new String(token, StandardCharsets.UTF_8).codePoints().toArray();
    if (characters.length != 1) {
      throw new IllegalArgumentException(
          "expected one character a token, found '%s'"
              .formatted(Json.shortened(new String(token, StandardCharsets.UTF_8))));
    }
    return characters[0];
  }

  /// Adds the keys of a tokenizer.
  ///
  /// @param vocabulary of the model, which may have more tokens
  /// @throws IllegalArgumentException if it is of a kind that GGUF cannot hold
  static void write(GgufWriter.Keys keys, @Nullable Tokenizer tokenizer, int vocabulary) {
    switch (tokenizer) {
      case null -> keys.text(MODEL, "no_vocab");
      case Gpt2Tokenizer t -> write(keys, t.toBpe(), vocabulary);
      case BpeTokenizer t -> {
        String[] tokens = new String[vocabulary];
        t.tokens().forEach((token, id) -> tokens[id] = token);
        write(keys, t, tokens);
        keys.texts(MERGES, t.merges().stream().map(m -> m.left() + " " + m.right()).toList());
      }
      case CharTokenizer t -> spelled(keys, t, vocabulary, CHARACTERS);
      case TokenTable t -> spelled(keys, t, vocabulary, DECODE_ONLY);
      default ->
          throw new IllegalArgumentException(
              "a tokenizer of %s has no place in GGUF".formatted(tokenizer.getClass()));
    }
  }

  private static void spelled(GgufWriter.Keys keys, Tokenizer t, int vocabulary, String kind) {
    String[] tokens = new String[vocabulary];
    for (int id = 0; id < t.vocabulary(); id++) {
      tokens[id] = BpeTokenizer.spell(t.bytes(id));
    }
    write(keys, t, tokens);
    keys.texts(MERGES, List.of());
    keys.text(OWN, kind);
  }

  /// Ids without a token are named as llama.cpp does, and marked as unused.
  private static void write(GgufWriter.Keys keys, Tokenizer t, @Nullable String[] tokens) {
    int[] types = new int[tokens.length];
    OptionalInt end = t.endOfText();
    for (int id = 0; id < types.length; id++) {
      boolean ends = end.isPresent() && end.getAsInt() == id;
      types[id] = tokens[id] == null ? UNUSED : ends ? CONTROL : NORMAL;
    }
    List<String> all = new ArrayList<>();
    for (int id = 0; id < types.length; id++) {
      String token = tokens[id];
      all.add(token == null ? "[PAD%d]".formatted(id) : token);
    }
    keys.text(MODEL, "gpt2");
    keys.text(CUT, "gpt-2");
    keys.texts(TOKENS, all);
    keys.numbers(TYPES, Arrays.stream(types).boxed().toList());
    if (end.isPresent()) {
      keys.number(BEGIN, end.getAsInt());
      keys.number(END, end.getAsInt());
    }
  }
}
