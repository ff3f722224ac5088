package org.quern.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class Utf8StreamTest {
  /// Bytes that start, continue and break characters of every length.
  private static final int[] TELLING = {
    'a', 0x7F, 0x80, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xA0, 0x9F, 0xE2, 0x82, 0xAC, 0xED, 0xEF,
    0xF0, 0x90, 0x8F, 0x9F, 0x8C, 0xBE, 0xF4, 0xF5, 0xFF
  };

  @Test
  void allPiecesAreWhatTheWholeIs() {
    Random random = new Random(1);
    for (int i = 0; i < 200_000; i++) {
      byte[] bytes = new byte[random.nextInt(12)];
      for (int k = 0; k < bytes.length; k++) {
        bytes[k] = (byte) TELLING[random.nextInt(TELLING.length)];
      }
      Utf8Stream stream = new Utf8Stream();
      StringBuilder out = new StringBuilder();
      for (int at = 0; at < bytes.length; ) {
        int end = Math.min(bytes.length, at + random.nextInt(4));
        out.append(stream.add(Arrays.copyOfRange(bytes, at, end)));
        at = end;
      }
      out.append(stream.finish());
      String whole = new String(bytes, StandardCharsets.UTF_8);
      assertEquals(whole, out.toString(), () -> Arrays.toString(bytes));
    }
  }

  @Test
  void everyCharacterComesWhole() {
    Utf8Stream stream = new Utf8Stream();
    for (int c = 1; c <= Character.MAX_CODE_POINT; c += c < 0x11000 ? 1 : 101) {
      if (c >= 0xD800 && c <= 0xDFFF) {
        continue;
      }
      byte[] bytes = Character.toString(c).getBytes(StandardCharsets.UTF_8);
      for (int i = 0; i < bytes.length; i++) {
        String piece = stream.add(new byte[] {bytes[i]});
        assertEquals(i == bytes.length - 1 ? Character.toString(c) : "", piece);
      }
    }
    assertEquals("", stream.finish());
  }

  @Test
  void startsAnewAfterTheEnd() {
    Utf8Stream stream = new Utf8Stream();
    assertEquals("a", stream.add(new byte[] {'a', (byte) 0xE2, (byte) 0x82}));
    assertEquals("\ufffd", stream.finish());
    assertEquals("", stream.finish());
    assertEquals("b", stream.add(new byte[] {'b'}));
    assertFalse(stream.add(new byte[] {(byte) 0xFF, 'c'}).isEmpty());
  }
}
