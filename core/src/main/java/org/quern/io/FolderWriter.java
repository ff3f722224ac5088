package org.quern.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.quern.core.Shape;
import org.quern.text.Tokenizer;

/// Writes model folders.
final class FolderWriter {
  private FolderWriter() {}

  /// How tensors are named and laid out.
  enum Layout {
    /// GPT-2's `Conv1D` weights (in, out).
    HUGGING_FACE,
    /// All weights (out, in), and the output matrix there even if it is the token embedding, as in
    /// nanoGPT's `state_dict`.
    NANOGPT
  }

  /// How the weights are written.
  ///
  /// @param layout their names and shapes
  /// @param storage F32, F16 or BF16
  /// @param metadata kept with them
  record Style(Layout layout, Storage storage, Map<String, String> metadata) {}

  static void write(
      Path folder,
      ModelConfig config,
      ParameterValues values,
      @Nullable Tokenizer tokenizer,
      Style style,
      LongConsumer written) {
    if (tokenizer != null && tokenizer.vocabulary() > config.vocabulary()) {
      throw new IllegalArgumentException(
          "the tokenizer has %d tokens, more than the %d of the model"
              .formatted(tokenizer.vocabulary(), config.vocabulary()));
    }
    Map<String, byte[]> small = new LinkedHashMap<>();
    OptionalInt end = tokenizer == null ? OptionalInt.empty() : tokenizer.endOfText();
    String dtype = torchName(style.storage());
    small.put(
        ModelConfig.FILE,
        switch (style.layout()) {
          case HUGGING_FACE -> config.write(end, dtype);
          case NANOGPT -> config.writeNanoGpt();
        });
    if (tokenizer != null) {
      small.putAll(TokenizerFiles.content(tokenizer));
    }
    try {
      createFolder(folder);
      for (Map.Entry<String, byte[]> file : small.entrySet()) {
        replace(folder.resolve(file.getKey()), file.getValue());
      }
      for (String other : TokenizerFiles.NAMES) {
        if (!small.containsKey(other)) {
          Files.deleteIfExists(folder.resolve(other));
        }
      }
      Map<String, String> all = new LinkedHashMap<>();
      all.put("format", "pt"); // Hugging Face's loader asks for it
      all.putAll(style.metadata());
      List<SafetensorsWriter.Part> parts = parts(config, new WeightWriter(values, written), style);
      SafetensorsWriter.write(folder.resolve(Weights.SINGLE), all, parts);
      Files.deleteIfExists(folder.resolve(Weights.INDEX));
    } catch (IOException e) {
      throw new UncheckedIOException(
          new IOException("cannot write %s: %s".formatted(folder, e.getMessage()), e));
    }
  }

  private static void createFolder(Path folder) throws IOException {
    try {
      Files.createDirectories(folder);
    } catch (FileAlreadyExistsException e) {
      throw new IOException(e.getMessage() + " is a file. Choose another folder", e);
    }
  }

  private static void replace(Path file, byte[] content) throws IOException {
    if (Files.isRegularFile(file)
        && Files.size(file) == content.length
        && Arrays.equals(Files.readAllBytes(file), content)) {
      return;
    }
    AtomicFile.write(file, content);
  }

  private static String torchName(Storage storage) {
    return switch (storage) {
      case F32 -> "float32";
      case F16 -> "float16";
      case BF16 -> "bfloat16";
      case Q8_0 -> throw new IllegalArgumentException("safetensors have no Q8_0; use BF16 or GGUF");
    };
  }

  private static List<SafetensorsWriter.Part> parts(
      ModelConfig config, WeightWriter writer, Style style) {
    List<SafetensorsWriter.Part> out = new ArrayList<>();
    for (String name : writer.values().shapes().keySet()) {
      // As Hugging Face's GPT2LMHeadModel names them: all but the head are its transformer's.
      boolean prefixed = config.gpt() != null && !name.startsWith("lm_head.");
      out.add(part(prefixed ? Weights.PREFIX + name : name, name, writer, style));
    }
    if (style.layout() == Layout.NANOGPT) {
      out.add(part("lm_head.weight", "wte.weight", writer, style));
    }
    return out;
  }

  private static SafetensorsWriter.Part part(
      String tensor, String parameter, WeightWriter writer, Style style) {
    Shape shape = writer.shape(parameter);
    Storage storage = style.storage();
    boolean transposed =
        style.layout() == Layout.HUGGING_FACE && WeightSource.transposed(parameter);
    return new SafetensorsWriter.Part(
        tensor,
        storage.name(),
        Shapes.list(transposed ? Shape.of(shape.dim(1), shape.dim(0)) : shape),
        storage.bytes(shape.elements()),
        channel -> {
          if (transposed) {
            writer.writeTransposed(channel, parameter, storage);
          } else {
            writer.write(channel, parameter, storage);
          }
        });
  }
}
