package org.quern.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.gpt.Bigram;
import org.quern.gpt.Gpt;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.Parameter;
import org.quern.text.Tokenizer;

/// Writes model folders.
final class FolderWriter {
  private static final int CHUNK = 1 << 18; // elements

  private FolderWriter() {}

  static void write(
      Path folder,
      LanguageModel model,
      @Nullable Tokenizer tokenizer,
      DType storage,
      Map<String, String> metadata) {
    if (!storage.real()) {
      throw new IllegalArgumentException("storage must be F32, F16 or BF16, found " + storage);
    }
    if (tokenizer != null && tokenizer.vocabulary() > model.vocabulary()) {
      throw new IllegalArgumentException(
          "the tokenizer has %d tokens, more than the %d of the model"
              .formatted(tokenizer.vocabulary(), model.vocabulary()));
    }
    Map<String, byte[]> small = new LinkedHashMap<>();
    OptionalInt end = tokenizer == null ? OptionalInt.empty() : tokenizer.endOfText();
    small.put(ModelConfig.FILE, config(model).write(end, torchName(storage)));
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
      all.putAll(metadata);
      SafetensorsWriter.write(folder.resolve(Weights.SINGLE), all, parts(model, storage));
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

  private static ModelConfig config(LanguageModel model) {
    return switch (model) {
      case Gpt gpt -> new ModelConfig(gpt.vocabulary(), gpt.context(), gpt.config());
      case Bigram bigram -> new ModelConfig(bigram.vocabulary(), bigram.context(), null);
      default ->
          throw new IllegalArgumentException(
              "a model of %s has no file format".formatted(model.getClass()));
    };
  }

  private static String torchName(DType storage) {
    return switch (storage) {
      case F32 -> "float32";
      case F16 -> "float16";
      case BF16 -> "bfloat16";
      case I32 -> throw new IllegalArgumentException("weights are real numbers");
    };
  }

  private static List<SafetensorsWriter.Part> parts(LanguageModel model, DType storage) {
    List<SafetensorsWriter.Part> out = new ArrayList<>();
    for (Parameter p : model.parameters().all()) {
      Shape shape = p.tensor().shape();
      boolean transposed = WeightSource.transposed(p.name());
      // As Hugging Face's GPT2LMHeadModel names them: all but the head are its transformer's.
      boolean prefixed = model instanceof Gpt && !p.name().startsWith("lm_head.");
      out.add(
          new SafetensorsWriter.Part(
              prefixed ? Weights.PREFIX + p.name() : p.name(),
              storage.name(),
              Shapes.list(transposed ? Shape.of(shape.dim(1), shape.dim(0)) : shape),
              storage.bytes(shape.elements()),
              channel -> writeParameter(channel, model.backend(), p, storage)));
    }
    return out;
  }

  private static void writeParameter(
      FileChannel channel, Backend backend, Parameter parameter, DType storage) throws IOException {
    Tensor tensor = parameter.tensor();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment values = arena.allocate(tensor.bytes(), 64);
      backend.download(values, tensor);
      if (WeightSource.transposed(parameter.name())) {
        writeTransposed(channel, values, tensor.shape(), storage);
      } else {
        writePlain(channel, values, tensor.elements(), storage);
      }
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "parameter '%s': %s".formatted(parameter.name(), e.getMessage()), e);
    }
  }

  private static void writePlain(
      FileChannel channel, MemorySegment values, long elements, DType storage) throws IOException {
    float[] chunk = new float[(int) Math.min(CHUNK, elements)];
    byte[] bytes = new byte[chunk.length * storage.bytes()];
    for (long at = 0; at < elements; at += chunk.length) {
      int count = (int) Math.min(chunk.length, elements - at);
      HostNumbers.read(chunk, 0, values, DType.F32, at, count);
      write(channel, bytes, chunk, count, storage);
    }
  }

  /// Values are (out, in), the file is (in, out).
  private static void writeTransposed(
      FileChannel channel, MemorySegment values, Shape shape, DType storage) throws IOException {
    int outputs = shape.intDim(0);
    int inputs = shape.intDim(1);
    int step = Math.clamp(CHUNK / outputs, 1, inputs);
    float[] chunk = new float[Math.multiplyExact(step, outputs)];
    byte[] bytes = new byte[Math.multiplyExact(chunk.length, storage.bytes())];
    float[] run = new float[step];
    for (int first = 0; first < inputs; first += step) {
      int count = Math.min(step, inputs - first);
      for (int o = 0; o < outputs; o++) {
        HostNumbers.read(run, 0, values, DType.F32, (long) o * inputs + first, count);
        for (int i = 0; i < count; i++) {
          chunk[i * outputs + o] = run[i];
        }
      }
      write(channel, bytes, chunk, count * outputs, storage);
    }
  }

  private static void write(
      FileChannel channel, byte[] bytes, float[] values, int count, DType storage)
      throws IOException {
    MemorySegment target = MemorySegment.ofArray(bytes);
    HostNumbers.write(target, storage, values, count);
    Channels.write(channel, target.asSlice(0, (long) count * storage.bytes()));
  }
}
