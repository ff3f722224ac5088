package org.quern.io;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.quern.core.Shape;
import org.quern.gpt.GptConfig;
import org.quern.text.Tokenizer;

/// Writes a GPT-2 as GGUF version 3, as llama.cpp's converter does: vectors and positions stay F32
/// whatever the storage.
final class GgufWriter {
  private GgufWriter() {}

  /// A tensor to be written.
  private record Part(String parameter, Shape shape, Storage storage, long offset) {}

  /// Writes a file.
  ///
  /// @param metadata kept under keys of our own
  /// @throws IllegalArgumentException if the model is no GPT-2, or a number does not fit
  static void write(
      Path file,
      ModelConfig model,
      ParameterValues values,
      @Nullable Tokenizer tokenizer,
      Storage storage,
      Map<String, String> metadata,
      LongConsumer written) {
    GptConfig c = gpt2(model);
    List<Part> parts = parts(values.shapes(), storage);
    byte[] header = header(c, parts, tokenizer, storage, metadata);
    WeightWriter writer = new WeightWriter(values, written);
    AtomicFile.write(
        file,
        channel -> {
          Channels.write(channel, header);
          pad(channel);
          for (Part part : parts) {
            writer.write(channel, part.parameter(), part.storage());
            pad(channel);
          }
        });
  }

  private static GptConfig gpt2(ModelConfig model) {
    GptConfig c = model.gpt();
    String other = c == null ? "a bigram" : Gpt2Choices.difference(c);
    if (c == null || other != null) {
      throw new IllegalArgumentException(
          "GGUF's architecture gpt2 is GPT-2 only, and this model has %s; choose another format"
              .formatted(other));
    }
    return c;
  }

  private static void pad(FileChannel channel) throws IOException {
    long over = channel.position() % GgufReader.DEFAULT_ALIGNMENT;
    if (over != 0) {
      Channels.write(channel, new byte[Math.toIntExact(GgufReader.DEFAULT_ALIGNMENT - over)]);
    }
  }

  private static List<Part> parts(Map<String, Shape> shapes, Storage storage) {
    List<Part> out = new ArrayList<>();
    long at = 0;
    for (Map.Entry<String, Shape> e : shapes.entrySet()) {
      String parameter = e.getKey();
      Shape shape = e.getValue();
      boolean narrow = shape.rank() > 1 && !parameter.equals("wpe.weight");
      Storage own = narrow ? storage : Storage.F32;
      if (shape.dim(shape.rank() - 1) % own.block() != 0) {
        throw new IllegalArgumentException(
            "%s needs rows of multiples of %d numbers, and '%s' is %s; choose F16"
                .formatted(own, own.block(), parameter, shape));
      }
      out.add(new Part(parameter, shape, own, at));
      at +=
          Math.ceilDiv(own.bytes(shape.elements()), (long) GgufReader.DEFAULT_ALIGNMENT)
              * GgufReader.DEFAULT_ALIGNMENT;
    }
    return out;
  }

  private static byte[] header(
      GptConfig c,
      List<Part> parts,
      @Nullable Tokenizer tokenizer,
      Storage storage,
      Map<String, String> metadata) {
    Keys keys = new Keys();
    keys.text("general.architecture", GgufModel.ARCHITECTURE);
    keys.number(
        "general.file_type",
        switch (storage) {
          case F32 -> 0;
          case F16 -> 1;
          case Q8_0 -> 7;
          case BF16 -> 32;
        });
    if (storage == Storage.Q8_0) {
      keys.number("general.quantization_version", 2);
    }
    keys.number("gpt2.context_length", c.context());
    keys.number("gpt2.embedding_length", c.width());
    keys.number("gpt2.feed_forward_length", c.mlpWidth());
    keys.number("gpt2.block_count", c.layers());
    keys.number("gpt2.attention.head_count", c.heads());
    keys.real("gpt2.attention.layer_norm_epsilon", c.epsilon());
    GgufTokenizer.write(keys, tokenizer, c.vocabulary());
    if (!metadata.isEmpty()) {
      List<String> names = List.copyOf(metadata.keySet()); // in their order
      keys.texts(GgufModel.METADATA_KEYS, names);
      keys.texts(GgufModel.METADATA_VALUES, names.stream().map(metadata::get).toList());
    }
    Bytes out = new Bytes();
    out.word(GgufReader.MAGIC);
    out.word(3);
    out.number(parts.size());
    out.number(keys.count);
    out.bytes(keys.out.all());
    for (Part part : parts) {
      out.text(GgufNames.ofParameter(part.parameter()));
      out.word(part.shape().rank());
      for (int i = part.shape().rank() - 1; i >= 0; i--) { // innermost first
        out.number(part.shape().dim(i));
      }
      out.word(
          switch (part.storage()) {
            case F32 -> 0;
            case F16 -> 1;
            case Q8_0 -> 8;
            case BF16 -> 30;
          });
      out.number(part.offset());
    }
    return out.all();
  }

  /// Keys with values, in the order in which they are added.
  static final class Keys {
    private final Bytes out = new Bytes();
    private int count;

    private void key(String key, GgufReader.Type type) {
      out.text(key);
      out.word(type.number);
      count++;
    }

    void text(String key, String value) {
      key(key, GgufReader.Type.STRING);
      out.text(value);
    }

    void number(String key, int value) {
      key(key, GgufReader.Type.U32);
      out.word(value);
    }

    void real(String key, float value) {
      key(key, GgufReader.Type.F32);
      out.word(Float.floatToRawIntBits(value));
    }

    void texts(String key, List<String> values) {
      list(key, GgufReader.Type.STRING, values.size());
      values.forEach(out::text);
    }

    void numbers(String key, List<Integer> values) {
      list(key, GgufReader.Type.I32, values.size());
      values.forEach(out::word);
    }

    private void list(String key, GgufReader.Type type, int length) {
      key(key, GgufReader.Type.ARRAY);
      out.word(type.number);
      out.number(length);
    }
  }

  private static final class Bytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    void word(int value) {
      bytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
    }

    void number(long value) {
      bytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
    }

    void text(String value) {
      byte[] utf8 = Json.wellFormed(value).getBytes(StandardCharsets.UTF_8);
      number(utf8.length);
      bytes(utf8);
    }

    void bytes(byte[] bytes) {
      out.writeBytes(bytes);
    }

    byte[] all() {
      return out.toByteArray();
    }
  }
}
