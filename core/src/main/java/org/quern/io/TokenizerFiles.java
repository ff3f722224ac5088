package org.quern.io;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.quern.text.BpeTokenizer;
import org.quern.text.CharTokenizer;
import org.quern.text.Gpt2Tokenizer;
import org.quern.text.Tokenizer;

/// Tokenizers in files: `char_tokenizer.json`; or `vocab.json` with `merges.txt`, and
/// `added_tokens.json` if there is one; or `tokenizer.json`.
public final class TokenizerFiles {
  static final String CHARACTERS = "char_tokenizer.json";
  static final String VOCABULARY = "vocab.json";
  static final String MERGES = "merges.txt";
  static final String ADDED = "added_tokens.json";
  static final String COMBINED = "tokenizer.json";

  /// All that may be read as a tokenizer's.
  static final List<String> NAMES = List.of(CHARACTERS, VOCABULARY, MERGES, ADDED, COMBINED);

  private TokenizerFiles() {}

  /// {@return the tokenizer whose files a folder has, or empty when it has none}
  ///
  /// @param folder the folder
  /// @throws FormatException if a file is bad, or one of two is missing
  /// @throws java.io.UncheckedIOException if a file cannot be read
  public static Optional<Tokenizer> read(Path folder) {
    return read(new FolderFiles.OnDisk(folder));
  }

  static Optional<Tokenizer> read(FolderFiles files) {
    if (files.has(CHARACTERS)) {
      return Optional.of(characters(files.json(CHARACTERS)));
    }
    if (files.has(VOCABULARY) && files.has(MERGES)) {
      Map<String, Integer> ids = ids(files.json(VOCABULARY));
      if (files.has(ADDED)) {
        ids.putAll(ids(files.json(ADDED)));
      }
      String name = files.name(MERGES);
      return Optional.of(bpe(files.name(VOCABULARY), ids, merges(name, files.read(MERGES))));
    }
    if (files.has(COMBINED)) {
      return Optional.of(combined(files.json(COMBINED)));
    }
    if (files.has(VOCABULARY) || files.has(MERGES)) {
      throw new FormatException(
          files.name(files.has(MERGES) ? VOCABULARY : MERGES),
          "file",
          "vocab.json and merges.txt",
          "only " + (files.has(MERGES) ? MERGES : VOCABULARY),
          "Add it, or remove the other to use token ids",
          null);
    }
    return Optional.empty();
  }

  private static CharTokenizer characters(JsonObject json) {
    String all = json.text("characters");
    try {
      return CharTokenizer.ofCodePoints(all.codePoints().toArray());
    } catch (IllegalArgumentException e) {
      throw unfit(json.file(), "key 'characters'", e);
    }
  }

  private static Map<String, Integer> ids(JsonObject json) {
    Map<String, Integer> out = new LinkedHashMap<>();
    json.values()
        .forEach(
            (token, id) -> {
              if (!(id instanceof Long n) || n < 0 || n >= Integer.MAX_VALUE) {
                throw json.bad(
                    Json.shortened(token),
                    "a token id from 0 to 2147483646",
                    Json.shortened(String.valueOf(id)));
              }
              out.put(token, Math.toIntExact(n));
            });
    return out;
  }

  /// {@return the merges of a `merges.txt`: a line each, two tokens with a space between, in order
  /// of rank; the first line may name the version}
  static List<BpeTokenizer.Merge> merges(String file, byte[] content) {
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString();
    } catch (CharacterCodingException e) {
      throw new FormatException(file, "content", "UTF-8", "other bytes", null, e);
    }
    List<BpeTokenizer.Merge> out = new ArrayList<>();
    int line = 0;
    for (int from = 0; from < text.length(); ) {
      int newline = text.indexOf('\n', from);
      int end = newline < 0 ? text.length() : newline;
      int next = end + 1;
      line++;
      if (end > from && text.charAt(end - 1) == '\r') {
        end--;
      }
      boolean version = line == 1 && text.startsWith("#version", from);
      if (end > from && !version) {
        out.add(merge(file, line, text.substring(from, end)));
      }
      from = next;
    }
    return out;
  }

  static BpeTokenizer.Merge merge(String file, int line, String text) {
    int space = text.indexOf(' ');
    if (space <= 0 || space == text.length() - 1 || text.indexOf(' ', space + 1) >= 0) {
      throw new FormatException(
          file,
          "line " + line,
          "two tokens with a space between",
          "'%s'".formatted(Json.shortened(text)));
    }
    return new BpeTokenizer.Merge(text.substring(0, space), text.substring(space + 1));
  }

  /// Hugging Face's single file, where it holds a byte-level BPE that cuts text as GPT-2 does.
  private static Tokenizer combined(JsonObject json) {
    JsonObject model = json.object("model");
    if (!model.text("type", "BPE").equals("BPE")) {
      throw model.bad("type", "'BPE'", "'%s'".formatted(Json.shortened(model.text("type"))));
    }
    JsonObject cut = json.object("pre_tokenizer");
    if (!cut.text("type").equals("ByteLevel")
        || !cut.truth("use_regex", true)
        || cut.truth("add_prefix_space", false)
        || json.has("normalizer")) {
      throw json.bad(
          "pre_tokenizer",
          "ByteLevel as GPT-2 has it, and no normalizer",
          Json.shortened(String.valueOf(cut.values())));
    }
    Map<String, Integer> ids = ids(model.object("vocab"));
    if (json.values().get("added_tokens") instanceof List<?> added) {
      for (Object one : added) {
        if (one instanceof Map<?, ?> token
            && token.get("content") instanceof String content
            && token.get("id") instanceof Long id
            && id >= 0
            && id < Integer.MAX_VALUE) {
          ids.put(content, Math.toIntExact(id));
        } else {
          throw json.bad(
              "added_tokens", "objects with content and id", Json.shortened(String.valueOf(one)));
        }
      }
    }
    if (!(model.values().get("merges") instanceof List<?> lines)) {
      throw model.bad("merges", "a list", "none");
    }
    List<BpeTokenizer.Merge> merges = new ArrayList<>();
    for (Object line : lines) {
      merges.add(combinedMerge(model, merges.size() + 1, line));
    }
    return bpe(json.file(), ids, merges);
  }

  /// A merge is a text with a space, or since 2024 a list of two texts.
  private static BpeTokenizer.Merge combinedMerge(
      JsonObject model, int number, @Nullable Object line) {
    if (line instanceof String text) {
      return merge(model.file(), number, text);
    }
    if (line instanceof List<?> two
        && two.size() == 2
        && two.get(0) instanceof String left
        && two.get(1) instanceof String right) {
      return new BpeTokenizer.Merge(left, right);
    }
    throw model.bad("merges", "pairs of tokens", Json.shortened(String.valueOf(line)));
  }

  private static BpeTokenizer bpe(
      String file, Map<String, Integer> ids, List<BpeTokenizer.Merge> merges) {
    try {
      return BpeTokenizer.of(ids, merges);
    } catch (IllegalArgumentException e) {
      throw unfit(file, "tokens and merges", e);
    }
  }

  private static FormatException unfit(String file, String where, IllegalArgumentException e) {
    return new FormatException(file, where, "a tokenizer", String.valueOf(e.getMessage()), null, e);
  }

  /// Writes a tokenizer's files, each as a whole or not at all.
  ///
  /// @param folder an existing folder
  /// @param tokenizer one of this project's
  /// @throws IllegalArgumentException if it is of a kind without files
  /// @throws java.io.UncheckedIOException if a file cannot be written
  public static void write(Path folder, Tokenizer tokenizer) {
    content(tokenizer).forEach((name, bytes) -> AtomicFile.write(folder.resolve(name), bytes));
  }

  /// {@return the files of a tokenizer by name}
  ///
  /// @throws IllegalArgumentException if it is of a kind without files
  static Map<String, byte[]> content(Tokenizer tokenizer) {
    return switch (tokenizer) {
      case CharTokenizer t -> Map.of(CHARACTERS, characters(t));
      case Gpt2Tokenizer t -> content(t.toBpe());
      case BpeTokenizer t -> Map.of(VOCABULARY, vocabulary(t), MERGES, merges(t));
      default ->
          throw new IllegalArgumentException(
              "a tokenizer of class %s has no file format".formatted(tokenizer.getClass()));
    };
  }

  private static byte[] characters(CharTokenizer tokenizer) {
    int[] all = tokenizer.codePoints();
    return Json.write(
        Json.Layout.INDENTED,
        out -> {
          out.writeStartObject();
          out.writeStringField("characters", new String(all, 0, all.length));
          out.writeEndObject();
        });
  }

  private static byte[] vocabulary(BpeTokenizer tokenizer) {
    return Json.write(
        Json.Layout.COMPACT,
        out -> {
          out.writeStartObject();
          for (Map.Entry<String, Integer> e : tokenizer.tokens().entrySet()) {
            out.writeNumberField(e.getKey(), e.getValue());
          }
          out.writeEndObject();
        });
  }

  private static byte[] merges(BpeTokenizer tokenizer) {
    StringBuilder out = new StringBuilder("#version: 0.2\n");
    for (BpeTokenizer.Merge m : tokenizer.merges()) {
      out.append(m.left()).append(' ').append(m.right()).append('\n');
    }
    return out.toString().getBytes(StandardCharsets.UTF_8);
  }
}
