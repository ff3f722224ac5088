package org.quern.generate;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/// Turns bytes that come in pieces into text, whole code points at a time. What is no UTF-8 becomes
/// U+FFFD, exactly as `new String(bytes, UTF_8)` has it.
final class Utf8Stream {
  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPLACE)
          .onUnmappableCharacter(CodingErrorAction.REPLACE);
  private byte[] rest = new byte[0]; // the beginning of a code point

  /// {@return what is certain with these bytes}
  ///
  /// @param bytes the next ones
  String append(byte[] bytes) {
    ByteBuffer in = ByteBuffer.allocate(rest.length + bytes.length).put(rest).put(bytes).flip();
    CharBuffer out = CharBuffer.allocate(in.remaining() + 1);
    decoder.decode(in, out, false);
    rest = new byte[in.remaining()];
    in.get(rest);
    return out.flip().toString();
  }

  /// {@return what an unfinished code point at the end becomes; afterwards a new text may start}
  String finish() {
    ByteBuffer in = ByteBuffer.wrap(rest);
    CharBuffer out = CharBuffer.allocate(rest.length + 1);
    decoder.decode(in, out, true);
    decoder.flush(out);
    decoder.reset();
    rest = new byte[0];
    return out.flip().toString();
  }
}
