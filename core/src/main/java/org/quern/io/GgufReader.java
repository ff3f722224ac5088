package org.quern.io;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Reads the header of a GGUF file, versions 2 and 3, little-endian
/// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): keys with values, then the tensors'
/// names, shapes, types and places, then their data at multiples of `general.alignment`.
///
/// Texts and lists stay in the file until they are asked for, and nothing that the file claims is
/// believed before it fits the file.
final class GgufReader {
  static final int MAGIC = 0x46554747; // "GGUF"
  static final String ALIGNMENT = "general.alignment";
  static final int DEFAULT_ALIGNMENT = 32;

  private static final int MOST_ENTRIES = 100_000;
  private static final int LONGEST_KEY = 65_535;
  private static final int LONGEST_TEXT = 1 << 24;
  private static final int HIGHEST_RANK = 4;

  private static final ValueLayout.OfInt WORD =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final String name;
  private final MemorySegment file;
  private final Map<String, Value> values = new LinkedHashMap<>();
  private final List<Safetensors.Entry> tensors = new ArrayList<>();
  private long at;

  /// What type a value is of, by the format's number.
  enum Type {
    U8(0, 1),
    I8(1, 1),
    U16(2, 2),
    I16(3, 2),
    U32(4, 4),
    I32(5, 4),
    F32(6, 4),
    BOOL(7, 1),
    STRING(8, 0),
    ARRAY(9, 0),
    U64(10, 8),
    I64(11, 8),
    F64(12, 8);

    final int number;
    private final int bytes;

    Type(int number, int bytes) {
      this.number = number;
      this.bytes = bytes;
    }
  }

  /// A value of the file, where it lies.
  ///
  /// @param type of it, or of the elements of a list
  /// @param count of elements, or -1: no list
  /// @param offset of its first byte
  private record Value(Type type, long count, long offset) {}

  private record Span(String name, String storage, List<Long> dimensions, long begin, long bytes) {}

  private GgufReader(MemorySegment file, String name) {
    this.file = file;
    this.name = name;
  }

  /// {@return the header of a file}
  ///
  /// @param file all of it
  /// @param name of it in messages
  /// @throws FormatException if it breaks the format
  static GgufReader read(MemorySegment file, String name) {
    GgufReader out = new GgufReader(file, name);
    out.readAll();
    return out;
  }

  private void readAll() {
    need(24, "a header");
    if (file.get(WORD, 0) != MAGIC) {
      throw bad("offset 0", "GGUF", "0x%08X".formatted(Integer.reverseBytes(file.get(WORD, 0))));
    }
    int version = file.get(WORD, 4);
    if (version != 2 && version != 3) {
      boolean big = Integer.reverseBytes(version) == 2 || Integer.reverseBytes(version) == 3;
      throw new FormatException(
          name,
          "version",
          "2 or 3",
          big ? "a file for big-endian machines" : "%d".formatted(version),
          "Write it again with today's llama.cpp",
          null);
    }
    at = 8;
    long tensorCount = count("tensors", MOST_ENTRIES);
    long valueCount = count("keys", MOST_ENTRIES);
    for (long i = 0; i < valueCount; i++) {
      readValue();
    }
    List<Span> spans = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (long i = 0; i < tensorCount; i++) {
      Span span = readTensor();
      if (!names.add(span.name())) {
        throw bad(where(span.name()), "it once", "it twice");
      }
      spans.add(span);
    }
    placeTensors(spans);
  }

  private long count(String what, long most) {
    need(8, "a number of " + what);
    long count = file.get(LONG, at);
    if (count < 0 || count > most) {
      throw bad("offset " + at, "0 to %d %s".formatted(most, what), Long.toUnsignedString(count));
    }
    at += 8;
    return count;
  }

  private void need(long bytes, String what) {
    if (bytes > file.byteSize() - at) {
      throw new FormatException(
          name,
          "offset " + at,
          "%d bytes of %s".formatted(bytes, what),
          "%d until the end".formatted(file.byteSize() - at),
          "The file is cut off, or its header is wrong",
          null);
    }
  }

  private void readValue() {
    String key = text(LONGEST_KEY);
    Value value = value(key);
    if (values.put(key, value) != null) {
      throw bad(key(key), "it once", "it twice");
    }
  }

  private Value value(String key) {
    Type type = type(key);
    if (type != Type.ARRAY) {
      Value out = new Value(type, -1, at);
      skip(type);
      return out;
    }
    Type element = type(key);
    if (element == Type.ARRAY) {
      throw bad(key(key), "numbers or texts in a list", "lists");
    }
    need(8, "a length");
    long count = file.get(LONG, at);
    at += 8;
    long least = element == Type.STRING ? 8 : element.bytes;
    if (count < 0 || count > (file.byteSize() - at) / least) {
      throw bad(
          key(key),
          "a list within the file",
          "one of %s elements".formatted(Long.toUnsignedString(count)));
    }
    Value out = new Value(element, count, at);
    if (element == Type.STRING) {
      for (long i = 0; i < count; i++) {
        skip(Type.STRING);
      }
    } else {
      at += count * element.bytes;
    }
    return out;
  }

  private Type type(String key) {
    need(4, "a type");
    int number = file.get(WORD, at);
    if (number < 0 || number >= Type.values().length) {
      throw bad(key(key), "a type from 0 to 12", "%d".formatted(number));
    }
    at += 4;
    return Type.values()[number];
  }

  private void skip(Type type) {
    if (type == Type.STRING) {
      need(8, "a length");
      long length = file.get(LONG, at);
      if (length < 0 || length > file.byteSize() - at - 8) {
        throw bad("offset " + at, "a text within the file", Long.toUnsignedString(length));
      }
      at += 8 + length;
    } else {
      need(type.bytes, "a value");
      at += type.bytes;
    }
  }

  /// {@return the text at the place reached}
  private String text(int longest) {
    need(8, "a length");
    long length = file.get(LONG, at);
    if (length < 0 || length > Math.min(longest, file.byteSize() - at - 8)) {
      throw bad(
          "offset " + at,
          "a text of at most %d bytes within the file".formatted(longest),
          Long.toUnsignedString(length));
    }
    byte[] bytes = file.asSlice(at + 8, length).toArray(ValueLayout.JAVA_BYTE);
    try {
      String out = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      at += 8 + length;
      return out;
    } catch (CharacterCodingException e) {
      throw new FormatException(name, "offset " + at, "UTF-8", "other bytes", null, e);
    }
  }

  private Span readTensor() {
    String tensor = text(LONGEST_KEY);
    need(4, "a rank");
    int rank = file.get(WORD, at);
    if (rank < 1 || rank > HIGHEST_RANK) {
      throw bad(where(tensor), "1 to %d dimensions".formatted(HIGHEST_RANK), "%d".formatted(rank));
    }
    at += 4;
    need(8L * rank + 12, "a tensor");
    List<Long> dimensions = new ArrayList<>();
    long elements = 1;
    try {
      for (int i = 0; i < rank; i++) {
        long size = file.get(LONG, at + 8L * i);
        if (size < 1) {
          throw bad(where(tensor), "sizes from 1", Long.toUnsignedString(size));
        }
        dimensions.addFirst(size); // the file has the innermost first
        elements = Math.multiplyExact(elements, size);
      }
      at += 8L * rank;
      Storage storage = storage(tensor, file.get(WORD, at));
      long begin = file.get(LONG, at + 4);
      at += 12;
      if (dimensions.getLast() % storage.block() != 0) {
        throw bad(
            where(tensor),
            "rows of multiples of %d numbers for %s".formatted(storage.block(), storage),
            dimensions.toString());
      }
      return new Span(tensor, storage.name(), dimensions, begin, storage.bytes(elements));
    } catch (ArithmeticException e) {
      throw new FormatException(
          name, where(tensor), "fewer than 2^63 bytes", "shape " + dimensions, null, e);
    }
  }

  private Storage storage(String tensor, int type) {
    return switch (type) {
      case 0 -> Storage.F32;
      case 1 -> Storage.F16;
      case 8 -> Storage.Q8_0;
      case 30 -> Storage.BF16;
      default ->
          throw new FormatException(
              name,
              where(tensor),
              "F32, F16, BF16 or Q8_0",
              "type %d of ggml's".formatted(type),
              "Convert it with llama.cpp's llama-quantize, to Q8_0 or F16",
              null);
    };
  }

  /// Tensors lie behind the header at multiples of the alignment, and do not overlap.
  private void placeTensors(List<Span> spans) {
    long alignment = number(ALIGNMENT, DEFAULT_ALIGNMENT);
    if (alignment < 1 || alignment > 1 << 16 || Long.bitCount(alignment) != 1) {
      throw bad(key(ALIGNMENT), "a power of two up to 65536", "%d".formatted(alignment));
    }
    long start = Math.min(Math.ceilDiv(at, alignment) * alignment, file.byteSize());
    MemorySegment data = file.asSlice(start);
    spans.sort(Comparator.comparingLong(Span::begin));
    long end = 0;
    for (Span s : spans) {
      if (s.begin() < 0
          || s.begin() % alignment != 0
          || s.bytes() > data.byteSize()
          || s.begin() > data.byteSize() - s.bytes()) {
        throw new FormatException(
            name,
            where(s.name()),
            "%d bytes at a multiple of %d within the %d bytes of data"
                .formatted(s.bytes(), alignment, data.byteSize()),
            "from " + Long.toUnsignedString(s.begin()),
            "The file is cut off, or its header is wrong",
            null);
      }
      if (s.begin() < end) {
        throw bad(where(s.name()), "data from %d on".formatted(end), "from " + s.begin());
      }
      end = s.begin() + s.bytes();
      tensors.add(
          new Safetensors.Entry(
              name, s.name(), s.storage(), s.dimensions(), data.asSlice(s.begin(), s.bytes())));
    }
  }

  /// {@return the file's name in messages}
  String name() {
    return name;
  }

  /// {@return all tensors in the order of their data; dimensions outermost first}
  List<Safetensors.Entry> tensors() {
    return tensors;
  }

  /// {@return whether there is a value of that key}
  boolean has(String key) {
    return values.containsKey(key);
  }

  /// {@return a whole number}
  ///
  /// @throws FormatException if it is missing or something else
  long number(String key) {
    Value v = values.get(key);
    if (v == null || v.count() >= 0) {
      throw bad(key(key), "a whole number", v == null ? "none" : "a list");
    }
    return whole(key, v, 0);
  }

  /// {@return a whole number, or what it is when there is none}
  long number(String key, long otherwise) {
    return has(key) ? number(key) : otherwise;
  }

  private long whole(String key, Value v, long index) {
    long from = v.offset() + index * v.type().bytes;
    return switch (v.type()) {
      case U8 -> file.get(ValueLayout.JAVA_BYTE, from) & 0xFF;
      case I8 -> file.get(ValueLayout.JAVA_BYTE, from);
      case U16 -> file.get(SHORT, from) & 0xFFFF;
      case I16 -> file.get(SHORT, from);
      case U32 -> file.get(WORD, from) & 0xFFFF_FFFFL;
      case I32 -> file.get(WORD, from);
      case U64, I64 -> file.get(LONG, from);
      case F32, F64, BOOL, STRING, ARRAY -> throw bad(key(key), "a whole number", "" + v.type());
    };
  }

  /// {@return a number that need not be whole, or what it is when there is none}
  ///
  /// @throws FormatException if it is something else
  double real(String key, double otherwise) {
    Value v = values.get(key);
    if (v == null) {
      return otherwise;
    }
    if (v.count() >= 0) {
      throw bad(key(key), "a number", "a list");
    }
    return switch (v.type()) {
      case F32 -> Float.intBitsToFloat(file.get(WORD, v.offset()));
      case F64 -> Double.longBitsToDouble(file.get(LONG, v.offset()));
      default -> whole(key, v, 0);
    };
  }

  /// {@return a text, or null when there is none}
  ///
  /// @throws FormatException if it is something else, too long, or no UTF-8
  synchronized @Nullable String text(String key) {
    Value v = values.get(key);
    if (v == null) {
      return null;
    }
    if (v.count() >= 0 || v.type() != Type.STRING) {
      throw bad(key(key), "a text", v.count() >= 0 ? "a list" : "" + v.type());
    }
    at = v.offset();
    return text(LONGEST_TEXT);
  }

  /// {@return a list of texts, or null when there is none}
  ///
  /// @throws FormatException if it is something else, too long, or no UTF-8
  synchronized @Nullable List<String> texts(String key) {
    Value v = values.get(key);
    if (v == null) {
      return null;
    }
    if (v.count() < 0 || v.type() != Type.STRING || v.count() > 1 << 24) {
      throw bad(
          key(key), "a list of at most 2^24 texts", "%d of %s".formatted(v.count(), v.type()));
    }
    List<String> out = new ArrayList<>(Math.toIntExact(v.count()));
    at = v.offset();
    for (long i = 0; i < v.count(); i++) {
      out.add(text(LONGEST_KEY));
    }
    return out;
  }

  /// {@return a list of whole numbers, or null when there is none}
  ///
  /// @throws FormatException if it is something else or too long
  int @Nullable [] numbers(String key) {
    Value v = values.get(key);
    if (v == null) {
      return null;
    }
    if (v.count() < 0 || v.count() > 1 << 24) {
      throw bad(key(key), "a list of at most 2^24 numbers", "%d".formatted(v.count()));
    }
    int[] out = new int[Math.toIntExact(v.count())];
    for (int i = 0; i < out.length; i++) {
      out[i] = (int) whole(key, v, i);
    }
    return out;
  }

  private static String where(String tensor) {
    return "tensor '%s'".formatted(Json.shortened(tensor));
  }

  static String key(String key) {
    return "key '%s'".formatted(Json.shortened(key));
  }

  FormatException bad(String where, String expected, String found) {
    return new FormatException(name, where, expected, found);
  }
}
