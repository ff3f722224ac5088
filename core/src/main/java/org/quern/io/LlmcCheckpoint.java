package org.quern.io;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.quern.core.Shape;
import org.quern.gpt.GptConfig;

/// A checkpoint of llm.c (https://github.com/karpathy/llm.c, `train_gpt2.py`): a header of 256
/// little-endian words, then the parameters, each of all layers in a row. Linear weights are (out,
/// in). The token embedding has rows up to a multiple of 128, which no token has.
///
/// @param config the numbers of the model, always a GPT-2
/// @param gpt the same
/// @param rows of the token embedding
/// @param weights its tensors
record LlmcCheckpoint(ModelConfig config, GptConfig gpt, int rows, Weights weights) {
  static final int MAGIC = 20240326;
  static final int HEADER = 1024; // bytes
  private static final int ROWS = 128; // of the embedding, a multiple

  private static final ValueLayout.OfInt WORD =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /// Where a header has what.
  private enum Field {
    VERSION(1),
    CONTEXT(2),
    VOCABULARY(3),
    LAYERS(4),
    HEADS(5),
    WIDTH(6),
    ROWS(7);

    private final int offset; // bytes

    Field(int word) {
      offset = word * Integer.BYTES;
    }
  }

  /// {@return the checkpoint in a file}
  ///
  /// @param file all of it
  /// @param name of it in messages
  /// @throws FormatException if it breaks the format, or is longer or shorter than its header says
  static LlmcCheckpoint read(MemorySegment file, String name) {
    checkHeader(file, name, MAGIC);
    Storage storage =
        switch (word(file, Field.VERSION)) {
          case 3 -> Storage.F32;
          case 5 -> Storage.BF16;
          default ->
              throw new FormatException(
                  name,
                  "version",
                  "3 (f32) or 5 (bf16)",
                  "%d".formatted(word(file, Field.VERSION)),
                  "Write it again with today's llm.c",
                  null);
        };
    int width = count(file, name, Field.WIDTH, 1 << 20);
    int heads = count(file, name, Field.HEADS, 1 << 20);
    if (width % heads != 0) {
      throw new FormatException(
          name, "heads", "a divisor of the width " + width, "%d".formatted(heads));
    }
    GptConfig config =
        GptConfig.gpt2(
            count(file, name, Field.VOCABULARY, 1 << 24),
            count(file, name, Field.CONTEXT, 1 << 24),
            width,
            count(file, name, Field.LAYERS, 1 << 16),
            heads);
    int rows = count(file, name, Field.ROWS, 1 << 25);
    if (rows < config.vocabulary()) {
      throw new FormatException(
          name,
          "padded vocabulary",
          "at least the vocabulary " + config.vocabulary(),
          "%d".formatted(rows));
    }
    long expected = HEADER + storage.bytes(numbers(config, rows));
    if (file.byteSize() != expected) {
      throw new FormatException(
          name,
          "size",
          "%d bytes, as the header says".formatted(expected),
          "%d bytes".formatted(file.byteSize()),
          file.byteSize() < expected ? "The file is cut off" : null,
          null);
    }
    Map<String, Safetensors.Entry> entries =
        entries(file.asSlice(HEADER), name, config, rows, storage);
    return new LlmcCheckpoint(
        new ModelConfig(config.vocabulary(), config.context(), config),
        config,
        rows,
        Weights.of(name, "its header", n -> n, entries, Map.of()));
  }

  /// Checks that a file has a header, and the one looked for.
  static void checkHeader(MemorySegment file, String name, int magic) {
    if (file.byteSize() < HEADER) {
      throw new FormatException(
          name, "size", "a header of %d bytes".formatted(HEADER), file.byteSize() + " bytes");
    }
    if (file.get(WORD, 0) != magic) {
      throw new FormatException(
          name, "offset 0", "%d".formatted(magic), "%d".formatted(file.get(WORD, 0)));
    }
  }

  private static int word(MemorySegment file, Field field) {
    return file.get(WORD, field.offset);
  }

  private static int count(MemorySegment file, String name, Field field, int most) {
    int value = word(file, field);
    if (value < 1 || value > most) {
      throw new FormatException(
          name,
          "offset %d, %s".formatted(field.offset, field.name().toLowerCase(Locale.ROOT)),
          "a number from 1 to " + most,
          "%d".formatted(value));
    }
    return value;
  }

  /// The parameters of a file in its order; those of a layer without their `h.N.`.
  private static List<String> order() {
    List<String> out = new ArrayList<>(List.of("wte.weight", "wpe.weight"));
    for (String part :
        List.of("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")) {
      out.add("h.*." + part + ".weight");
      out.add("h.*." + part + ".bias");
    }
    out.addAll(List.of("ln_f.weight", "ln_f.bias"));
    return out;
  }

  /// {@return the parameters in the order of a file, of that many layers}
  static List<String> order(int layers) {
    List<String> out = new ArrayList<>();
    for (String name : order()) {
      for (int layer = 0; layer < (name.startsWith("h.") ? layers : 1); layer++) {
        out.add(name.replace("*", Integer.toString(layer)));
      }
    }
    return out;
  }

  /// {@return how many numbers all parameters have, in 64 bits even of the largest header}
  static long numbers(GptConfig c, int rows) {
    long width = c.width();
    long layer = 12 * width * width + 13 * width;
    return (rows + (long) c.context()) * width + c.layers() * layer + 2 * width;
  }

  /// {@return the tensors that lie behind a header, not the padding of the embedding}
  static Map<String, Safetensors.Entry> entries(
      MemorySegment data, String name, GptConfig config, int rows, Storage storage) {
    Map<String, Shape> shapes = ParameterValues.shapes(config);
    Map<String, Safetensors.Entry> out = new LinkedHashMap<>();
    long at = 0;
    for (String parameter : order(config.layers())) {
      Shape shape = Objects.requireNonNull(shapes.get(parameter));
      long bytes = storage.bytes(shape.elements());
      out.put(
          parameter,
          new Safetensors.Entry(
              name, parameter, storage.name(), Shapes.list(shape), data.asSlice(at, bytes)));
      at += parameter.equals("wte.weight") ? storage.bytes((long) rows * config.width()) : bytes;
    }
    return out;
  }

  /// Writes a checkpoint.
  ///
  /// @param storage F32 or BF16
  /// @throws IllegalArgumentException if the model is no GPT-2, or a number does not fit
  static void write(
      Path file, ModelConfig model, ParameterValues values, Storage storage, LongConsumer written) {
    GptConfig c = gpt2(model);
    int version =
        switch (storage) {
          case F32 -> 3;
          case BF16 -> 5;
          case F16, Q8_0 ->
              throw new IllegalArgumentException(
                  "llm.c has F32 and BF16, not %s; choose one of them".formatted(storage));
        };
    int rows = Math.multiplyExact(Math.ceilDiv(c.vocabulary(), ROWS), ROWS);
    ByteBuffer header = ByteBuffer.allocate(HEADER).order(ByteOrder.LITTLE_ENDIAN);
    header.putInt(MAGIC).putInt(version).putInt(c.context()).putInt(c.vocabulary());
    header.putInt(c.layers()).putInt(c.heads()).putInt(c.width()).putInt(rows);
    WeightWriter writer = new WeightWriter(values, written);
    AtomicFile.write(
        file,
        channel -> {
          Channels.write(channel, header.array());
          for (String parameter : order(c.layers())) {
            writer.write(channel, parameter, storage);
            if (parameter.equals("wte.weight")) {
              pad(channel, storage.bytes((long) (rows - c.vocabulary()) * c.width()));
            }
          }
        });
  }

  private static void pad(FileChannel channel, long bytes) throws IOException {
    Channels.write(channel, new byte[Math.toIntExact(bytes)]);
  }

  /// {@return the numbers of a GPT-2}
  ///
  /// @throws IllegalArgumentException if it is none that llm.c can compute, naming the difference
  private static GptConfig gpt2(ModelConfig model) {
    GptConfig c = model.gpt();
    String other = c == null ? "a bigram" : difference(c);
    if (c == null || other != null) {
      throw new IllegalArgumentException(
          "llm.c computes GPT-2 only, and this model has %s; choose another format"
              .formatted(other));
    }
    return c;
  }

  private static @Nullable String difference(GptConfig c) {
    if (c.unembedding() != GptConfig.Unembedding.TIED) {
      return "an output matrix of its own";
    }
    String shape = Gpt2Choices.differenceInShape(c);
    return shape != null ? shape : Gpt2Choices.difference(c);
  }
}
