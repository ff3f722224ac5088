package org.quern.text;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// GPT-2's spelling of bytes as printable characters, one a byte, so that tokens are readable in
/// `vocab.json` and `merges.txt`: printable Latin-1 stands for itself, and the other 68 bytes, the
/// space among them, for U+0100 and on (`bytes_to_unicode` in GPT-2's published encoder).
final class ByteAlphabet {
  private static final char[] CHARS = new char[256];
  private static final int[] BYTES = new int[256 + 68]; // by character; -1: none

  static {
    Arrays.fill(BYTES, -1);
    int next = 256;
    for (int b = 0; b < 256; b++) {
      boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD);
      CHARS[b] = (char) (printable ? b : next++);
      BYTES[CHARS[b]] = b;
    }
  }

  private ByteAlphabet() {}

  /// {@return the character of a byte}
  static char of(int unsigned) {
    return CHARS[unsigned];
  }

  /// {@return the bytes, spelled}
  static String spell(byte[] bytes) {
    char[] out = new char[bytes.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = CHARS[bytes[i] & 0xFF];
    }
    return new String(out);
  }

  /// {@return the bytes that a token spells, or null if it has a character that stands for none}
  static byte @Nullable [] bytes(String token) {
    byte[] out = new byte[token.length()];
    for (int i = 0; i < out.length; i++) {
      char c = token.charAt(i);
      if (c >= BYTES.length || BYTES[c] < 0) {
        return null;
      }
      out[i] = (byte) BYTES[c];
    }
    return out;
  }
}
