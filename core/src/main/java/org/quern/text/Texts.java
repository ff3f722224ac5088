package org.quern.text;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CharsetEncoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/// Bytes and characters.
final class Texts {
  private Texts() {}

  /// {@return the text in UTF-8, with U+FFFD for each unpaired surrogate}
  ///
  /// `String.getBytes` would write a question mark, which reads as if it had been in the text.
  static byte[] utf8(String text) {
    CharsetEncoder encoder =
        StandardCharsets.UTF_8
            .newEncoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .replaceWith(new byte[] {(byte) 0xEF, (byte) 0xBF, (byte) 0xBD});
    try {
      ByteBuffer out = encoder.encode(CharBuffer.wrap(text));
      byte[] bytes = new byte[out.remaining()];
      out.get(bytes);
      return bytes;
    } catch (CharacterCodingException e) {
      throw new AssertionError("replacing never fails", e);
    }
  }

  /// Cuts bytes into well-formed text and the bytes that are no part of any, in their order.
  ///
  /// @param bytes any
  /// @param text takes each stretch of well-formed UTF-8, never empty
  /// @param stray takes each other byte
  static void split(byte[] bytes, Consumer<String> text, IntConsumer stray) {
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder(); // reports what is malformed
    ByteBuffer in = ByteBuffer.wrap(bytes);
    CharBuffer out = CharBuffer.allocate(bytes.length); // a byte is at most one char
    while (in.hasRemaining()) {
      CoderResult result = decoder.reset().decode(in, out.clear(), true);
      if (out.flip().hasRemaining()) {
        text.accept(out.toString());
      }
      int bad = result.isError() ? result.length() : 0;
      for (int i = 0; i < bad; i++) {
        stray.accept(in.get());
      }
    }
  }

  static IllegalArgumentException noSuchToken(int id, int vocabulary) {
    return new IllegalArgumentException(
        "token id must be from 0 to %d, found %d".formatted(vocabulary - 1, id));
  }

  /// {@return a, b and more ids in a row}
  static int[] join(int[] a, int[] b, int... more) {
    int[] out = Arrays.copyOf(a, Math.addExact(a.length + b.length, more.length));
    System.arraycopy(b, 0, out, a.length, b.length);
    System.arraycopy(more, 0, out, a.length + b.length, more.length);
    return out;
  }
}
