package org.quern.io;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.quern.text.Gpt2Tokenizer;
import org.quern.text.TokenTable;
import org.quern.text.Tokenizer;

/// llm.c's `gpt2_tokenizer.bin`: a header of 256 little-endian words, then each token as a byte of
/// length and its bytes. It has no merges, so that it can only decode; but where the tokens are
/// GPT-2's, the built-in tokenizer takes its place.
final class LlmcTokenizer {
  static final int MAGIC = 20240328;
  static final String FILE = "gpt2_tokenizer.bin";

  private static final int MOST_TOKENS = 1 << 24;
  private static final ValueLayout.OfInt WORD =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private LlmcTokenizer() {}

  /// {@return the tokenizer beside a checkpoint: one in Hugging Face's files, which can encode, or
  /// else llm.c's, or none}
  static Optional<Tokenizer> beside(Path folder) {
    Optional<Tokenizer> whole = TokenizerFiles.read(folder);
    Path file = folder.resolve(FILE);
    if (whole.isPresent() || !Files.exists(file)) {
      return whole;
    }
    try (Arena arena = Arena.ofConfined()) {
      return Optional.of(read(ModelFile.map(file, arena), file.toString()));
    }
  }

  /// {@return the tokenizer in a file}
  ///
  /// @param file all of it
  /// @param name of it in messages
  /// @throws FormatException if it breaks the format
  static Tokenizer read(MemorySegment file, String name) {
    LlmcCheckpoint.checkHeader(file, name, MAGIC);
    int version = file.get(WORD, 4);
    if (version != 1 && version != 2) {
      throw new FormatException(name, "version", "1 or 2", "%d".formatted(version));
    }
    int count = file.get(WORD, 8);
    // A token takes a byte of length and at least one more.
    long most = Math.min(MOST_TOKENS, (file.byteSize() - LlmcCheckpoint.HEADER) / 2);
    if (count < 1 || count > most) {
      throw new FormatException(
          name, "tokens", "from 1 to %d, for which there is room".formatted(most), "" + count);
    }
    List<byte[]> tokens = new ArrayList<>(count);
    long at = LlmcCheckpoint.HEADER;
    for (int id = 0; id < count; id++) {
      int length = at < file.byteSize() ? file.get(ValueLayout.JAVA_BYTE, at) & 0xFF : 0;
      if (length == 0 || length > file.byteSize() - at - 1) {
        throw new FormatException(
            name,
            "token %d at offset %d".formatted(id, at),
            "1 to 255 bytes within the file",
            "%d of %d".formatted(length, Math.max(0, file.byteSize() - at - 1)));
      }
      tokens.add(file.asSlice(at + 1, length).toArray(ValueLayout.JAVA_BYTE));
      at += 1 + length;
    }
    if (at != file.byteSize()) {
      throw new FormatException(
          name, "size", "%d bytes, where the last token ends".formatted(at), "" + file.byteSize());
    }
    // The first version has no end, which then is GPT-2's.
    int end = version == 1 ? count - 1 : file.get(WORD, 12);
    if (end < 0 || end >= count) {
      throw new FormatException(
          name, "end of text", "one of %d tokens".formatted(count), "%d".formatted(end));
    }
    return isGpt2(tokens) ? Gpt2Tokenizer.get() : TokenTable.of(tokens, OptionalInt.of(end), name);
  }

  private static boolean isGpt2(List<byte[]> tokens) {
    if (tokens.size() != Gpt2Tokenizer.END_OF_TEXT + 1) {
      return false;
    }
    Tokenizer gpt2 = Gpt2Tokenizer.get();
    for (int id = 0; id < tokens.size(); id++) {
      if (!Arrays.equals(tokens.get(id), gpt2.bytes(id))) {
        return false;
      }
    }
    return true;
  }

  /// {@return the file of a tokenizer}
  ///
  /// @throws IllegalArgumentException if a token has more than 255 bytes, or there are gaps
  static byte[] write(Tokenizer tokenizer) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    int count = tokenizer.vocabulary();
    // llm.c asks for an end; where there is none, the last token is as good as any.
    out.writeBytes(
        ByteBuffer.allocate(LlmcCheckpoint.HEADER)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putInt(MAGIC)
            .putInt(2)
            .putInt(count)
            .putInt(tokenizer.endOfText().orElse(count - 1))
            .array());
    for (int id = 0; id < count; id++) {
      byte[] bytes = tokenizer.bytes(id);
      if (bytes.length == 0 || bytes.length > 255) {
        throw new IllegalArgumentException(
            "llm.c's tokens have 1 to 255 bytes, token %d has %d".formatted(id, bytes.length));
      }
      out.write(bytes.length);
      out.writeBytes(bytes);
    }
    return out.toByteArray();
  }
}
