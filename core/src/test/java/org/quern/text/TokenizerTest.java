package org.quern.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class TokenizerTest {
  private static final Gpt2Tokenizer GPT2 = Gpt2Tokenizer.get();
  private static final BpeTokenizer BPE = GPT2.toBpe();

  /// What text is made of, and what trips tokenizers.
  private static final List<String> PARTS =
      List.of(
          "a",
          "e",
          "th",
          "stone",
          "Hero",
          "HELLO",
          "supercalifragilistic",
          " ",
          "  ",
          "   ",
          "\n",
          "\r\n",
          "\t",
          "\u000b",
          "\f",
          "\u001c",
          "\u001f",
          "\u0085",
          "\u00a0",
          "\u1680",
          "\u180e",
          "\u2003",
          "\u2028",
          "\u2029",
          "\u200b",
          "\u202f",
          "\u205f",
          "\u3000",
          "\ufeff",
          "'s",
          "'t",
          "'re",
          "'ve",
          "'m",
          "'ll",
          "'d",
          "'S",
          "'LL",
          "'",
          "''",
          "\u2019s",
          "0",
          "12",
          "3.14",
          "\u0663",
          "\u216b",
          "\u00bd",
          "\u00b2",
          "é",
          "e\u0301",
          "\u0301",
          "ß",
          "İ",
          "ǅ",
          "ʰ",
          "石臼",
          "粉を挽く",
          "мельница",
          "שלום",
          "مرحبا",
          "ไทยำ",
          "한국어",
          "\u1112\u1161\u11ab",
          "🌾",
          "👩‍👩‍👧‍👦",
          "🏽",
          "🇫🇷",
          "𝕏",
          "𝟘",
          "𐍈",
          "\u0000",
          "\u007f",
          "\ufffd",
          "\uffff",
          "\udbff\udfff",
          ".",
          "--",
          "...",
          "http://",
          "_",
          "€",
          "<|endoftext|>");

  static List<Tokenizer> byteLevel() {
    return List.of(GPT2, BPE);
  }

  private static String text(Random random) {
    StringBuilder out = new StringBuilder();
    for (int n = random.nextInt(30); n > 0; n--) {
      out.append(PARTS.get(random.nextInt(PARTS.size())));
    }
    return out.toString();
  }

  @ParameterizedTest
  @MethodSource("byteLevel")
  void knownIds(Tokenizer tokenizer) {
    assertArrayEquals(
        new int[] {3673, 477, 10281, 5806, 1451, 274},
        tokenizer.encode("Not all heroes wear capes"));
    assertArrayEquals(new int[] {15496, 11, 995, 0}, tokenizer.encode("Hello, world!"));
    assertArrayEquals(new int[0], tokenizer.encode(""));
    assertEquals(50257, tokenizer.vocabulary());
    assertEquals(OptionalInt.of(50256), tokenizer.endOfText());
    assertEquals("<|endoftext|>", tokenizer.decode(50256));
  }

  /// JTokkit with its regular expression, and our splitter and merger, over one vocabulary.
  @Test
  void twoImplementationsAgree() {
    assertEquals(50000, BPE.merges().size());
    Random random = new Random(11);
    for (int i = 0; i < 20_000; i++) {
      String text = text(random);
      assertArrayEquals(GPT2.encode(text), BPE.encode(text), () -> escaped(text));
    }
  }

  @Test
  void twoImplementationsAgreeOnEveryCharacter() {
    for (int c = 0; c <= Character.MAX_CODE_POINT; c += c < 0x30000 ? 1 : 997) {
      if (c < 0xD800 || c > 0xDFFF) {
        String text = "a" + Character.toString(c) + " " + Character.toString(c) + "b";
        assertArrayEquals(GPT2.encode(text), BPE.encode(text), () -> escaped(text));
      }
    }
  }

  private static String escaped(String text) {
    StringBuilder out = new StringBuilder();
    text.chars().forEach(c -> out.append(c < 127 && c >= 32 ? (char) c : "\\u%04x".formatted(c)));
    return out.toString();
  }

  @ParameterizedTest
  @MethodSource("byteLevel")
  void anyTextComesBack(Tokenizer tokenizer) {
    Random random = new Random(12);
    for (int i = 0; i < 2000; i++) {
      String text = text(random);
      assertEquals(text, tokenizer.decode(tokenizer.encode(text)));
    }
  }

  @ParameterizedTest
  @MethodSource("byteLevel")
  void anyBytesComeBack(Tokenizer tokenizer) {
    Random random = new Random(13);
    for (int i = 0; i < 2000; i++) {
      byte[] bytes = new byte[random.nextInt(40)];
      random.nextBytes(bytes);
      if (i % 2 == 0) { // mostly UTF-8, cut or damaged
        byte[] text = text(random).getBytes(StandardCharsets.UTF_8);
        bytes = Arrays.copyOfRange(text, Math.min(1, text.length), text.length);
        if (bytes.length > 0) {
          bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
        }
      }
      assertArrayEquals(bytes, tokenizer.bytes(tokenizer.encode(bytes)));
    }
    for (int b = 0; b < 256; b++) {
      byte[] one = {(byte) b};
      assertEquals(1, tokenizer.encode(one).length);
      assertArrayEquals(one, tokenizer.bytes(tokenizer.encode(one)));
    }
  }

  @Test
  void unpairedSurrogatesAreReplacedVisibly() {
    assertEquals("a\ufffdb\ufffd", BPE.decode(BPE.encode("a\ud83cb\udf3e")));
    assertArrayEquals(GPT2.encode("\ud83c"), BPE.encode("\ufffd"));
  }

  @ParameterizedTest
  @MethodSource("byteLevel")
  void specialTextIsTextUnlessAsked(Tokenizer tokenizer) {
    String text = "a<|endoftext|><|endoftext|> b";
    assertTrue(Arrays.stream(tokenizer.encode(text)).noneMatch(id -> id == 50256));
    assertEquals(text, tokenizer.decode(tokenizer.encode(text)));
    assertArrayEquals(
        new int[] {64, 50256, 50256, 275}, tokenizer.encode(text, Tokenizer.Special.PARSED));
    assertArrayEquals(tokenizer.encode(text), tokenizer.encode(text, Tokenizer.Special.AS_TEXT));
  }

  @ParameterizedTest
  @MethodSource("byteLevel")
  void idsOutsideAreRefused(Tokenizer tokenizer) {
    for (int id : new int[] {-1, 50257, Integer.MAX_VALUE}) {
      String message =
          assertThrows(IllegalArgumentException.class, () -> tokenizer.decode(id)).getMessage();
      assertEquals("token id must be from 0 to 50256, found " + id, message);
    }
  }

  @Test
  void returnedBytesAreCopies() {
    BPE.bytes(64)[0] = 0;
    GPT2.bytes(64)[0] = 0;
    assertEquals("a", BPE.decode(64));
    assertEquals("a", GPT2.decode(64));
  }

  /// A quadratic merge of a million letters would take hours.
  @Test
  void longWordsAreNotQuadratic() {
    Random random = new Random(14);
    StringBuilder word = new StringBuilder();
    for (int i = 0; i < 1_000_000; i++) {
      word.append((char) ('a' + random.nextInt(3)));
    }
    String text = word.toString();
    int[] ids = assertTimeoutPreemptively(Duration.ofSeconds(30), () -> BPE.encode(text));
    assertEquals(text, BPE.decode(ids));
    String spaces = " ".repeat(1_000_000);
    ids = assertTimeoutPreemptively(Duration.ofSeconds(30), () -> BPE.encode(spaces));
    assertEquals(spaces, BPE.decode(ids));
  }

  @Test
  void threadsShareATokenizer() throws Exception {
    BpeTokenizer shared = BpeTokenizer.of(BPE.tokens(), BPE.merges());
    Throwable[] failure = new Throwable[1];
    Thread[] threads = new Thread[4];
    for (int t = 0; t < threads.length; t++) {
      threads[t] =
          Thread.ofPlatform()
              .unstarted(
                  () -> {
                    Random random = new Random(15);
                    for (int i = 0; i < 500; i++) {
                      String text = text(random);
                      assertArrayEquals(BPE.encode(text), shared.encode(text));
                    }
                  });
      threads[t].setUncaughtExceptionHandler((thread, e) -> failure[0] = e);
      threads[t].start();
    }
    for (Thread t : threads) {
      t.join();
    }
    assertEquals(null, failure[0]);
  }

  @Test
  void vocabulariesThatDoNotFitTheirMergesAreRefused() {
    var ab = new BpeTokenizer.Merge("a", "b");
    refused(
        "merge 1: expected tokens of the vocabulary, found 'ab', which",
        Map.of("a", 0, "b", 1),
        ab);
    refused("found 'b', which is none", Map.of("a", 0, "ab", 1), ab);
    refused("merge 2: expected a new pair", Map.of("a", 0, "b", 1, "ab", 2), ab, ab);
    refused("an id of its own, found 0", Map.of("a", 0, "b", 0));
    refused("expected an id from 0 to 2147483646, found -1", Map.of("a", -1));
    refused("expected tokens, found none", Map.of());
  }

  private static void refused(
      String expected, Map<String, Integer> vocabulary, BpeTokenizer.Merge... merges) {
    String message =
        assertThrows(
                IllegalArgumentException.class, () -> BpeTokenizer.of(vocabulary, List.of(merges)))
            .getMessage();
    assertTrue(message.contains(expected), message);
  }

  @Test
  void missingBytesAreNamed() {
    BpeTokenizer small =
        BpeTokenizer.of(Map.of("a", 5, "aa", 7), List.of(new BpeTokenizer.Merge("a", "a")));
    assertArrayEquals(new int[] {7, 5}, small.encode("aaa"));
    assertEquals(8, small.vocabulary());
    assertEquals(OptionalInt.empty(), small.endOfText());
    String message =
        assertThrows(IllegalArgumentException.class, () -> small.encode("a b")).getMessage();
    assertTrue(message.contains("no token for byte 0x20 ('Ġ')"), message);
    assertThrows(IllegalArgumentException.class, () -> small.bytes(6));
  }

  @Test
  void characters() {
    CharTokenizer t = CharTokenizer.of("hello 🌾\né");
    assertEquals(8, t.vocabulary());
    assertArrayEquals(
        "\n ehlo\u00e9\ud83c\udf3e".codePoints().toArray(), t.codePoints(), "ascending");
    assertArrayEquals(new int[] {3, 2, 4, 4, 5, 7, 6}, t.encode("hello🌾é"));
    assertEquals("hello🌾é", t.decode(3, 2, 4, 4, 5, 7, 6));
    assertArrayEquals(new int[] {7}, t.encode("🌾".getBytes(StandardCharsets.UTF_8)));
    String message =
        assertThrows(IllegalArgumentException.class, () -> t.encode("hex")).getMessage();
    assertEquals(
        "character U+0078 'x' at 2 is not among the 8 that this model knows; leave it out, or train"
            + " a model on text that has it",
        message);
    assertThrows(IllegalArgumentException.class, () -> t.encode("h\ud83c"));
    assertThrows(IllegalArgumentException.class, () -> t.encode(new byte[] {(byte) 0xFF}));
    assertThrows(IllegalArgumentException.class, () -> t.bytes(8));
    assertThrows(IllegalArgumentException.class, () -> t.bytes(-1));
    assertThrows(IllegalArgumentException.class, () -> CharTokenizer.of(""));
    assertThrows(IllegalArgumentException.class, () -> CharTokenizer.of("a\udf3e"));
    assertThrows(IllegalArgumentException.class, () -> CharTokenizer.ofCodePoints(98, 97));
    assertThrows(IllegalArgumentException.class, () -> CharTokenizer.ofCodePoints(97, 97));
    assertThrows(IllegalArgumentException.class, () -> CharTokenizer.ofCodePoints(0x110000));
  }
}
