package org.quern.io;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Reads the header of a safetensors file: the length of the header in 8 bytes, little-endian; the
/// header, a JSON object from tensor names to `dtype`, `shape` and `data_offsets`, with
/// `__metadata__` for strings; then the data, without holes
/// (https://huggingface.co/docs/safetensors).
///
/// @param metadata what the file says about itself
/// @param tensors in the order of their data
record SafetensorsHeader(Map<String, String> metadata, List<Safetensors.Entry> tensors) {
  /// The most that the format allows.
  static final long LONGEST = 100_000_000;

  static final String METADATA = "__metadata__";
  private static final int MOST_TENSORS = 100_000;
  private static final int HIGHEST_RANK = 64;

  private static final ValueLayout.OfLong LENGTH =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /// Bits of an element by the names that the format has.
  private static final Map<String, Integer> BITS =
      Map.ofEntries(
          Map.entry("BOOL", 8),
          Map.entry("F4", 4),
          Map.entry("F6_E2M3", 6),
          Map.entry("F6_E3M2", 6),
          Map.entry("U8", 8),
          Map.entry("I8", 8),
          Map.entry("F8_E5M2", 8),
          Map.entry("F8_E4M3", 8),
          Map.entry("F8_E8M0", 8),
          Map.entry("I16", 16),
          Map.entry("U16", 16),
          Map.entry("F16", 16),
          Map.entry("BF16", 16),
          Map.entry("I32", 32),
          Map.entry("U32", 32),
          Map.entry("F32", 32),
          Map.entry("C64", 64),
          Map.entry("F64", 64),
          Map.entry("I64", 64),
          Map.entry("U64", 64));

  /// {@return the header of a file}
  ///
  /// @param file all of it
  /// @param name of it in messages
  /// @throws FormatException if it breaks the format
  static SafetensorsHeader read(MemorySegment file, String name) {
    if (file.byteSize() < 8) {
      throw new FormatException(
          name, "offset 0", "8 bytes of header length", file.byteSize() + " bytes in all");
    }
    long length = file.get(LENGTH, 0);
    long most = Math.min(LONGEST, file.byteSize() - 8);
    if (length < 2 || length > most) {
      throw new FormatException(
          name,
          "offset 0",
          "a header of 2 to %d bytes".formatted(most),
          Long.toUnsignedString(length),
          "The file is cut off, or no safetensors file",
          null);
    }
    if (file.get(ValueLayout.JAVA_BYTE, 8) != '{') {
      throw new FormatException(
          name, "offset 8", "'{'", "byte 0x%02X".formatted(file.get(ValueLayout.JAVA_BYTE, 8)));
    }
    MemorySegment data = file.asSlice(8 + length);
    return Json.read(
        name,
        "header",
        new SegmentStream(file.asSlice(8, length)),
        parser -> new Parse(name, data, parser).all());
  }

  /// One reading of one header.
  private record Parse(String file, MemorySegment data, JsonParser parser) {
    SafetensorsHeader all() throws IOException {
      expect("header", JsonToken.START_OBJECT, "an object");
      Map<String, String> metadata = new LinkedHashMap<>();
      List<Span> spans = new ArrayList<>();
      Set<String> names = new HashSet<>();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String name = parser.currentName();
        if (!names.add(name)) {
          throw new FormatException(file, tensor(name), "it once", "it twice");
        }
        if (names.size() > MOST_TENSORS) {
          throw new FormatException(file, "header", MOST_TENSORS + " tensors at most", "more");
        }
        if (name.equals(METADATA)) {
          metadata(metadata);
        } else {
          spans.add(tensor(name, tensor(name)));
        }
      }
      spans.sort(Comparator.comparingLong(Span::begin).thenComparingLong(Span::end));
      return new SafetensorsHeader(metadata, entries(spans));
    }

    private static String tensor(String name) {
      return "tensor '%s'".formatted(Json.shortened(name));
    }

    private void metadata(Map<String, String> out) throws IOException {
      expect(METADATA, JsonToken.START_OBJECT, "an object");
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String key = parser.currentName();
        expect(METADATA + "." + Json.shortened(key), JsonToken.VALUE_STRING, "a string");
        if (out.put(key, parser.getText()) != null) {
          throw Json.twice(file, METADATA + "." + Json.shortened(key));
        }
      }
    }

    private Span tensor(String name, String where) throws IOException {
      expect(where, JsonToken.START_OBJECT, "an object");
      String storage = null;
      long[] shape = null;
      long[] offsets = null;
      Set<String> keys = new HashSet<>();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        String key = parser.currentName();
        if (!keys.add(key)) {
          throw new FormatException(
              file, where, "key '%s' once".formatted(Json.shortened(key)), "it twice");
        }
        switch (key) {
          case "dtype" -> {
            expect(where, JsonToken.VALUE_STRING, "a string as dtype");
            storage = parser.getText();
          }
          case "shape" -> shape = numbers(where, "shape");
          case "data_offsets" -> offsets = numbers(where, "data_offsets");
          default -> {
            parser.nextToken();
            parser.skipChildren();
          }
        }
      }
      if (storage == null || shape == null || offsets == null || offsets.length != 2) {
        throw new FormatException(
            file,
            where,
            "dtype, shape and two data_offsets",
            "dtype %s, shape %s, data_offsets %s"
                .formatted(storage, Arrays.toString(shape), Arrays.toString(offsets)));
      }
      return span(name, where, storage, shape, offsets);
    }

    private Span span(String name, String where, String storage, long[] shape, long[] offsets) {
      Integer bits = BITS.get(storage);
      if (bits == null) {
        throw new FormatException(
            file, where, "a dtype of the format", "'%s'".formatted(Json.shortened(storage)));
      }
      long begin = offsets[0];
      long end = offsets[1];
      if (begin > end || end > data.byteSize()) {
        throw new FormatException(
            file,
            where,
            "data_offsets within the %d bytes of data".formatted(data.byteSize()),
            "%d to %d".formatted(begin, end),
            "The file is cut off, or its header is wrong",
            null);
      }
      long size = bits;
      try {
        for (long d : shape) {
          size = Math.multiplyExact(size, d);
        }
      } catch (ArithmeticException e) {
        throw new FormatException(
            file, where, "fewer than 2^63 bits", "shape " + Arrays.toString(shape), null, e);
      }
      if (size % 8 != 0 || size / 8 != end - begin) {
        throw new FormatException(
            file,
            where,
            "%d bits for %s %s".formatted(size, storage, Arrays.toString(shape)),
            "%d bytes, from %d to %d".formatted(end - begin, begin, end));
      }
      return new Span(name, storage, shape, begin, end);
    }

    private long[] numbers(String where, String key) throws IOException {
      expect(where, JsonToken.START_ARRAY, "a list as " + key);
      long[] out = new long[HIGHEST_RANK];
      int n = 0;
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT || parser.getLongValue() < 0) {
          throw new FormatException(
              file, where, "whole numbers from 0 in " + key, Json.text(parser));
        }
        if (n == out.length) {
          throw new FormatException(
              file, where, "at most %d numbers in %s".formatted(n, key), "more");
        }
        out[n++] = parser.getLongValue();
      }
      return Arrays.copyOf(out, n);
    }

    private void expect(String where, JsonToken token, String expected) throws IOException {
      if (parser.nextToken() != token) {
        throw new FormatException(file, where, expected, Json.text(parser));
      }
    }

    /// Sorted spans must follow on each other and fill the data.
    private List<Safetensors.Entry> entries(List<Span> spans) {
      List<Safetensors.Entry> out = new ArrayList<>();
      long at = 0;
      for (Span s : spans) {
        if (s.begin() != at) {
          throw new FormatException(
              file,
              tensor(s.name()),
              "data from %d, where the tensor before it ends".formatted(at),
              "from %d: %s".formatted(s.begin(), s.begin() < at ? "they overlap" : "a hole"));
        }
        at = s.end();
        out.add(
            new Safetensors.Entry(
                file,
                s.name(),
                s.storage(),
                Arrays.stream(s.shape()).boxed().toList(),
                data.asSlice(s.begin(), s.end() - s.begin())));
      }
      if (at != data.byteSize()) {
        throw new FormatException(
            file,
            "data",
            "%d bytes, where the last tensor ends".formatted(at),
            "%d bytes".formatted(data.byteSize()));
      }
      return List.copyOf(out);
    }
  }

  /// Where a tensor's data lie, counted from the first byte of data.
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Span(String name, String storage, long[] shape, long begin, long end) {}

  /// Reads a segment.
  private static final class SegmentStream extends InputStream {
    private final MemorySegment segment;
    private long at;

    SegmentStream(MemorySegment segment) {
      this.segment = segment;
    }

    @Override
    public int read() {
      return at == segment.byteSize() ? -1 : segment.get(ValueLayout.JAVA_BYTE, at++) & 0xFF;
    }

    @Override
    public int read(byte[] target, int offset, int length) {
      if (at == segment.byteSize()) {
        return -1;
      }
      int n = (int) Math.min(length, segment.byteSize() - at);
      MemorySegment.copy(segment, ValueLayout.JAVA_BYTE, at, target, offset, n);
      at += n;
      return n;
    }
  }
}
