package org.quern.io;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Writes safetensors files, one tensor after the other, so that not all need be in memory at once.
final class SafetensorsWriter {
  private SafetensorsWriter() {}

  /// A tensor to be written.
  ///
  /// @param name its name
  /// @param storage as the format names it
  /// @param dimensions outermost first
  /// @param bytes how many the body writes
  /// @param body writes the elements, little-endian
  record Part(
      String name, String storage, List<Long> dimensions, long bytes, AtomicFile.Writer body) {}

  static void write(Path file, Map<String, String> metadata, List<Part> parts) {
    byte[] header = header(metadata, parts);
    AtomicFile.write(
        file,
        channel -> {
          Channels.write(channel, header);
          for (Part part : parts) {
            writePart(channel, part);
          }
        });
  }

  private static void writePart(FileChannel channel, Part part) throws IOException {
    long start = channel.position();
    part.body().write(channel);
    if (channel.position() - start != part.bytes()) {
      throw new IllegalStateException(
          "tensor '%s': expected %d bytes, %d were written"
              .formatted(part.name(), part.bytes(), channel.position() - start));
    }
  }

  /// Length and header, padded with spaces so that the data start at a multiple of 8.
  private static byte[] header(Map<String, String> metadata, List<Part> parts) {
    byte[] json =
        Json.write(
            Json.Layout.COMPACT,
            out -> {
              out.writeStartObject();
              if (!metadata.isEmpty()) {
                out.writeObjectFieldStart(SafetensorsHeader.METADATA);
                for (Map.Entry<String, String> e : metadata.entrySet()) {
                  out.writeStringField(Json.wellFormed(e.getKey()), Json.wellFormed(e.getValue()));
                }
                out.writeEndObject();
              }
              writeParts(out, parts);
              out.writeEndObject();
            });
    int padded = Math.toIntExact((json.length + 7L) / 8 * 8);
    if (padded > SafetensorsHeader.LONGEST) {
      throw new IllegalArgumentException(
          "a safetensors header has at most %d bytes, this one needs %d"
              .formatted(SafetensorsHeader.LONGEST, padded));
    }
    byte[] out = Arrays.copyOf(json, padded);
    Arrays.fill(out, json.length, padded, (byte) ' ');
    return ByteBuffer.allocate(8 + padded)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(padded)
        .put(out)
        .array();
  }

  private static void writeParts(JsonGenerator out, List<Part> parts) throws IOException {
    Set<String> names = new HashSet<>();
    long at = 0;
    for (Part part : parts) {
      if (!names.add(part.name())) {
        throw new IllegalArgumentException("two tensors are named '%s'".formatted(part.name()));
      }
      out.writeObjectFieldStart(Json.wellFormed(part.name()));
      out.writeStringField("dtype", part.storage());
      out.writeFieldName("shape");
      out.writeArray(
          part.dimensions().stream().mapToLong(Long::longValue).toArray(),
          0,
          part.dimensions().size());
      out.writeFieldName("data_offsets");
      out.writeArray(new long[] {at, at + part.bytes()}, 0, 2);
      out.writeEndObject();
      at += part.bytes();
    }
  }
}
