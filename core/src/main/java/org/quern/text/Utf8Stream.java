package org.quern.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/// Turns the bytes of tokens, one after the other, into text without ever splitting a character:
/// the bytes of an incomplete one wait for the rest. All pieces and the [#finish] together are what
/// `new String(allBytes, UTF_8)` would give, U+FFFD for invalid bytes included.
///
/// Belongs to one thread at a time.
public final class Utf8Stream {
  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPLACE)
          .onUnmappableCharacter(CodingErrorAction.REPLACE);
  private byte[] waiting = new byte[0]; // at most 3 bytes

  /// Starts with nothing.
  public Utf8Stream() {}

  /// {@return the characters that these bytes complete, possibly none}
  ///
  /// @param bytes the next bytes
  public String add(byte[] bytes) {
    return decode(bytes, false);
  }

  /// {@return what is left: nothing, or U+FFFD for a character that never got its last byte}
  ///
  /// Then starts anew.
  public String finish() {
    String rest = decode(new byte[0], true);
    decoder.reset();
    return rest;
  }

  private String decode(byte[] bytes, boolean end) {
    ByteBuffer in = ByteBuffer.allocate(waiting.length + bytes.length).put(waiting).put(bytes);
    in.flip();
    CharBuffer out = CharBuffer.allocate(in.remaining() + 2); // a byte is at most one char
    decoder.decode(in, out, end);
    if (end) {
      decoder.flush(out);
    }
    waiting = new byte[in.remaining()];
    in.get(waiting);
    return out.flip().toString();
  }
}
