package org.quern.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.quern.text.Tokenizer;

/// A model in one file, memory-mapped.
final class ModelFile extends ModelSource {
  private static final ValueLayout.OfInt WORD =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Arena arena;
  private final Supplier<Optional<Tokenizer>> tokenizer;

  private ModelFile(String name, Arena arena, Content content) {
    super(name, name, content.config(), content.weights());
    this.arena = arena;
    this.tokenizer = content.tokenizer();
  }

  /// What a reader finds in a file.
  ///
  /// @param config the numbers of the model
  /// @param weights its tensors
  /// @param tokenizer reads the tokenizer, when one is asked for
  record Content(ModelConfig config, Weights weights, Supplier<Optional<Tokenizer>> tokenizer) {}

  /// {@return the model in a file}
  public static ModelFile open(Path file) {
    Arena arena = Arena.ofShared();
    try {
      MemorySegment bytes = map(file, arena);
      return new ModelFile(file.toString(), arena, read(file, bytes));
    } catch (Throwable e) {
      arena.close();
      throw e;
    }
  }

  /// {@return a file, mapped}
  ///
  /// @throws UncheckedIOException if it cannot be read
  static MemorySegment map(Path file, Arena arena) {
    try {
      return Safetensors.map(file, arena).asReadOnly();
    } catch (IOException e) {
      throw new UncheckedIOException(
          new IOException("cannot read %s: %s".formatted(file, e.getMessage()), e));
    }
  }

  private static Content read(Path path, MemorySegment bytes) {
    String name = path.toString();
    int magic = bytes.byteSize() < Integer.BYTES ? 0 : bytes.get(WORD, 0);
    return switch (magic) {
      case LlmcCheckpoint.MAGIC -> {
        LlmcCheckpoint checkpoint = LlmcCheckpoint.read(bytes, name);
        yield new Content(
            checkpoint.config(), checkpoint.weights(), () -> LlmcTokenizer.beside(folderOf(path)));
      }
      case GgufReader.MAGIC -> {
        GgufModel model = GgufModel.read(GgufReader.read(bytes, name));
        yield new Content(model.config(), model.weights(), model::tokenizer);
      }
      case LlmcState.MAGIC ->
          throw unknown(name, "llm.c's debug_state.bin", "Pass it to 'quern verify --llmc'");
      case LlmcTokenizer.MAGIC ->
          throw unknown(name, "llm.c's tokenizer", "Choose the checkpoint beside it");
      default -> {
        if (name.endsWith(".safetensors")) {
          throw unknown(
              name,
              "safetensors, which lack a configuration",
              "Choose the folder that they lie in");
        }
        if ((magic & 0xFFFF) == 0x4B50 || (magic & 0xFF) == 0x80) { // a zip, or a bare pickle
          throw unknown(
              name,
              "what looks like a pickle",
              "Pickled weights can run code; save them as safetensors with the program that wrote"
                  + " them");
        }
        throw unknown(name, "0x%08X".formatted(Integer.reverseBytes(magic)), null);
      }
    };
  }

  private static Path folderOf(Path file) {
    return Objects.requireNonNull(file.toAbsolutePath().getParent(), "a file lies in a folder");
  }

  private static FormatException unknown(String name, String found, @Nullable String remedy) {
    return new FormatException(
        name, "offset 0", "a model: a folder, GGUF, or a checkpoint of llm.c", found, remedy, null);
  }

  @Override
  Optional<Tokenizer> readTokenizer() {
    return tokenizer.get();
  }

  @Override
  void closeFiles() {
    arena.close();
  }
}
