package org.quern.peers;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/// Writes a message of protocol buffers, field by field: as much of the format as ONNX needs.
final class Protobuf {
  private static final int VARINT = 0;
  private static final int LENGTH = 2;
  private static final int FIXED32 = 5;

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /// {@return this, with an integer added}
  Protobuf number(int field, long value) {
    varint(((long) field << 3) | VARINT);
    varint(value);
    return this;
  }

  /// {@return this, with a float added}
  Protobuf real(int field, float value) {
    varint(((long) field << 3) | FIXED32);
    int bits = Float.floatToRawIntBits(value);
    for (int shift = 0; shift < Integer.SIZE; shift += Byte.SIZE) {
      out.write(bits >>> shift);
    }
    return this;
  }

  /// {@return this, with a text added}
  Protobuf text(int field, String value) {
    return bytes(field, value.getBytes(StandardCharsets.UTF_8));
  }

  /// {@return this, with a message added}
  Protobuf message(int field, Protobuf value) {
    return bytes(field, value.bytes());
  }

  /// {@return this, with bytes added}
  Protobuf bytes(int field, byte[] value) {
    varint(((long) field << 3) | LENGTH);
    varint(value.length);
    out.writeBytes(value);
    return this;
  }

  /// {@return this, with all fields of another added}
  Protobuf fields(Protobuf other) {
    out.writeBytes(other.bytes());
    return this;
  }

  /// {@return the message}
  byte[] bytes() {
    return out.toByteArray();
  }

  private void varint(long value) {
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      out.write((int) ((rest & 0x7F) | 0x80));
      rest >>>= 7;
    }
    out.write((int) rest);
  }
}
