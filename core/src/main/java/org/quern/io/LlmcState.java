package org.quern.io;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Map;
import org.quern.core.DType;
import org.quern.gpt.GptConfig;

/// llm.c's `debug_state.bin`: what PyTorch computed of a checkpoint, to compare with
/// (https://github.com/karpathy/llm.c, `train_gpt2.py`). A header of 256 little-endian words with B
/// and T; ids and targets, (B, T); logits (B, T, V); the loss; and the gradients as a checkpoint
/// has the parameters, F32. Memory-mapped.
public final class LlmcState implements AutoCloseable {
  static final int MAGIC = 20240327;
  private static final int VERSION = 2;

  private static final ValueLayout.OfInt WORD =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Arena arena;
  private final Content content;

  private LlmcState(Arena arena, Content content) {
    this.arena = arena;
    this.content = content;
  }

  /// What a file holds.
  record Content(
      int batch,
      int length,
      MemorySegment tokens,
      MemorySegment logits,
      float loss,
      Map<String, Safetensors.Entry> gradients) {}

  /// {@return the state in a file; to be closed by the caller}
  ///
  /// @param file the file
  /// @param checkpoint that it was made of
  /// @throws java.io.UncheckedIOException if one of them cannot be read
  /// @throws FormatException if one breaks its format, or the state is of another model
  public static LlmcState open(Path file, Path checkpoint) {
    Arena arena = Arena.ofShared();
    try {
      LlmcCheckpoint of =
          LlmcCheckpoint.read(ModelFile.map(checkpoint, arena), checkpoint.toString());
      MemorySegment bytes = ModelFile.map(file, arena);
      return new LlmcState(arena, read(bytes, file.toString(), of.gpt(), of.rows()));
    } catch (Throwable e) {
      arena.close();
      throw e;
    }
  }

  /// {@return whether a file begins as one of these}
  ///
  /// @param file the file
  /// @throws java.io.UncheckedIOException if it cannot be read
  public static boolean recognizes(Path file) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment bytes = ModelFile.map(file, arena);
      return bytes.byteSize() >= Integer.BYTES && bytes.get(WORD, 0) == MAGIC;
    }
  }

  static Content read(MemorySegment file, String name, GptConfig c, int rows) {
    LlmcCheckpoint.checkHeader(file, name, MAGIC);
    if (file.get(WORD, 4) != VERSION) {
      throw new FormatException(
          name,
          "version",
          "%d".formatted(VERSION),
          "%d".formatted(file.get(WORD, 4)),
          "Write it again with today's llm.c",
          null);
    }
    int batch = file.get(WORD, 8);
    int length = file.get(WORD, 12);
    long tokens = (long) batch * length;
    if (batch < 1 || length < 1 || length > c.context() || tokens > 1 << 24) {
      throw new FormatException(
          name,
          "offset 8",
          "a batch of texts of 1 to %d tokens, as the checkpoint has".formatted(c.context()),
          "%d of %d".formatted(batch, length));
    }
    long logits = LlmcCheckpoint.HEADER + 2 * Integer.BYTES * tokens;
    long loss = logits + Float.BYTES * tokens * c.vocabulary();
    long gradients = loss + Float.BYTES;
    long size = gradients + DType.F32.bytes(LlmcCheckpoint.numbers(c, rows));
    if (size != file.byteSize()) {
      throw new FormatException(
          name,
          "size",
          "%d bytes, by the checkpoint".formatted(size),
          "%d bytes".formatted(file.byteSize()),
          "The file is cut off, or of another model than the checkpoint",
          null);
    }
    checkTokens(file, name, 2 * tokens, c.vocabulary());
    return new Content(
        batch,
        length,
        file.asSlice(LlmcCheckpoint.HEADER, logits - LlmcCheckpoint.HEADER),
        file.asSlice(logits, loss - logits),
        Float.intBitsToFloat(file.get(WORD, loss)),
        LlmcCheckpoint.entries(file.asSlice(gradients), name, c, rows, Storage.F32));
  }

  private static void checkTokens(MemorySegment file, String name, long count, int vocabulary) {
    for (long i = 0; i < count; i++) {
      long offset = LlmcCheckpoint.HEADER + Integer.BYTES * i;
      int id = file.get(WORD, offset);
      if (id < 0 || id >= vocabulary) {
        throw new FormatException(
            name,
            "offset %d".formatted(offset),
            "a token from 0 to %d".formatted(vocabulary - 1),
            "%d".formatted(id));
      }
    }
  }

  /// {@return B, the number of texts}
  public int batch() {
    return content.batch();
  }

  /// {@return T, the tokens of each text}
  public int length() {
    return content.length();
  }

  /// {@return the tokens that the model sees, (B, T)}
  public int[] ids() {
    return tokens(0);
  }

  /// {@return the tokens that it shall predict, (B, T)}
  public int[] targets() {
    return tokens(batch() * length());
  }

  private int[] tokens(int first) {
    int[] out = new int[batch() * length()];
    MemorySegment.copy(content.tokens(), WORD, (long) Integer.BYTES * first, out, 0, out.length);
    return out;
  }

  /// {@return the logits of a token's successor, (V)}
  ///
  /// @param token its place in (B, T)
  public float[] logits(int token) {
    long all = content.logits().byteSize() / Float.BYTES;
    float[] out = new float[Math.toIntExact(all / (batch() * (long) length()))];
    HostNumbers.read(out, 0, content.logits(), DType.F32, (long) token * out.length, out.length);
    return out;
  }

  /// {@return the mean loss}
  public float loss() {
    return content.loss();
  }

  /// {@return the gradient of a parameter, in the parameter's order}
  ///
  /// @param parameter its name in Quern
  /// @throws IllegalArgumentException if there is no such parameter
  public float[] gradient(String parameter) {
    Safetensors.Entry entry = content.gradients().get(parameter);
    if (entry == null) {
      throw new IllegalArgumentException("no gradient of '%s'".formatted(parameter));
    }
    float[] out = new float[Math.toIntExact(entry.data().byteSize() / Float.BYTES)];
    HostNumbers.read(out, 0, entry.data(), DType.F32, 0, out.length);
    return out;
  }

  /// Unmaps the file. Closing twice is harmless.
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
