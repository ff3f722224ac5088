package org.quern.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.text.CharTokenizer;
import org.quern.text.Gpt2Tokenizer;
import org.quern.text.Tokenizer;

class TokenizerFilesTest {
  @TempDir Path folder;

  private static String golden(String file) throws IOException {
    return Files.readString(Golden.path("bpe").resolve(file));
  }

  private void put(String file, String content) throws IOException {
    Files.writeString(folder.resolve(file), content);
  }

  private String failure() {
    return assertThrows(FormatException.class, () -> TokenizerFiles.read(folder)).getMessage();
  }

  private record Example(String text, int[] ids) {}

  private static List<Example> examples() throws IOException {
    List<Example> out = new ArrayList<>();
    try (JsonParser p = new JsonFactory().createParser(golden("expected.json"))) {
      p.nextToken();
      while (p.nextToken() == JsonToken.START_OBJECT) {
        p.nextToken();
        String text = p.nextTextValue();
        p.nextToken();
        p.nextToken();
        List<Integer> ids = new ArrayList<>();
        while (p.nextToken() != JsonToken.END_ARRAY) {
          ids.add(p.getIntValue());
        }
        p.nextToken();
        out.add(new Example(text, ids.stream().mapToInt(i -> i).toArray()));
      }
    }
    return out;
  }

  @ParameterizedTest
  @ValueSource(strings = {"vocab.json", "tokenizer.json"})
  void encodesAsHuggingFaceDoes(String kind) throws IOException {
    put(kind, golden(kind));
    if (kind.equals("vocab.json")) {
      put("merges.txt", golden("merges.txt"));
    }
    Tokenizer tokenizer = TokenizerFiles.read(folder).orElseThrow();
    List<Example> examples = examples();
    assertEquals(158, examples.size());
    for (Example e : examples) {
      assertArrayEquals(e.ids(), tokenizer.encode(e.text()), e.text());
      assertEquals(e.text(), tokenizer.decode(e.ids()));
    }
    assertEquals(0, tokenizer.endOfText().orElseThrow());
  }

  @Test
  void lineEndsOfWindowsDoNoHarm() throws IOException {
    put("vocab.json", golden("vocab.json"));
    put("merges.txt", golden("merges.txt").replace("\n", "\r\n"));
    Tokenizer tokenizer = TokenizerFiles.read(folder).orElseThrow();
    for (Example e : examples()) {
      assertArrayEquals(e.ids(), tokenizer.encode(e.text()), e.text());
    }
  }

  @Test
  void addedTokensHaveTheirText() throws IOException {
    put("vocab.json", golden("vocab.json"));
    put("merges.txt", golden("merges.txt"));
    int size = TokenizerFiles.read(folder).orElseThrow().vocabulary();
    put("added_tokens.json", "{\"<a b>\": %d}".formatted(size));
    Tokenizer tokenizer = TokenizerFiles.read(folder).orElseThrow();
    assertEquals(size + 1, tokenizer.vocabulary());
    assertEquals("<a b>", tokenizer.decode(size));
  }

  @Test
  void writtenTokenizersReadTheSame() {
    Tokenizer gpt2 = Gpt2Tokenizer.get();
    TokenizerFiles.write(folder, gpt2);
    Tokenizer again = TokenizerFiles.read(folder).orElseThrow();
    assertEquals(50257, again.vocabulary());
    assertEquals(50256, again.endOfText().orElseThrow());
    assertArrayEquals(
        new int[] {3673, 477, 10281, 5806, 1451, 274}, again.encode("Not all heroes wear capes"));
    CharTokenizer characters = CharTokenizer.of("\u0000\t\"\\ \u0085é\u2028🌾");
    TokenizerFiles.write(folder, characters);
    assertArrayEquals(
        characters.codePoints(),
        ((CharTokenizer) TokenizerFiles.read(folder).orElseThrow()).codePoints());
  }

  @Test
  void noFilesNoTokenizer() {
    assertTrue(TokenizerFiles.read(folder).isEmpty());
  }

  @Test
  void oneOfTwoFilesIsRefused() throws IOException {
    put("vocab.json", golden("vocab.json"));
    String message = failure();
    assertTrue(message.contains("merges.txt: file: expected vocab.json and merges.txt"), message);
    Files.delete(folder.resolve("vocab.json"));
    put("merges.txt", golden("merges.txt"));
    message = failure();
    assertTrue(message.contains("vocab.json: file: expected"), message);
    assertTrue(message.contains("found only merges.txt"), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{}|a b|vocab.json: tokens and merges: expected a tokenizer, found vocabulary: expected"
            + " tokens, found none",
        "{'a':0}|a a|found merge 1: expected tokens of the vocabulary, found 'aa', which is none",
        "{'a':0,'b':0}||expected an id of its own, found 0",
        "{'a':0,'a':1}||vocab.json: key 'a': expected it once, found it twice",
        "{'a':-1}||vocab.json: key 'a': expected a token id from 0 to 2147483646, found -1",
        "{'a':9999999999}||expected a token id from 0 to 2147483646, found 9999999999",
        "{'a':'b'}||expected a token id from 0 to 2147483646, found b",
        "{'a':null}||expected a token id from 0 to 2147483646, found null",
        "{'a':0|a|vocab.json: JSON, line 1, column 7: expected JSON, found Unexpected end",
        "['a']||vocab.json: JSON: expected an object, found [",
        "{'a':0}|a|merges.txt: line 1: expected two tokens with a space between, found 'a'",
        "{'a':0}|a b c|merges.txt: line 1: expected two tokens with a space between, found 'a b c'",
        "{'a':0}|#version: 0.2\\na  b|merges.txt: line 2: expected two tokens",
      })
  void badFilesAreRefused(String vocabulary, String merges, String expected) throws IOException {
    put("vocab.json", vocabulary.replace('\'', '"'));
    put("merges.txt", merges == null ? "" : merges.replace("\\n", "\n"));
    String message = failure();
    assertTrue(message.contains(expected), message);
  }

  @Test
  void mergesThatAreNotUtf8AreRefused() throws IOException {
    put("vocab.json", "{\"a\":0}");
    Files.write(folder.resolve("merges.txt"), new byte[] {(byte) 0xFF, ' ', 'a'});
    assertTrue(failure().contains("merges.txt: content: expected UTF-8"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"type\": \"BPE\"|\"type\": \"Unigram\"|key 'model.type': expected 'BPE', found 'Unigram'",
        "\"normalizer\": null|\"normalizer\": {\"type\": \"NFC\"}|key 'pre_tokenizer': expected"
            + " ByteLevel",
        "\"add_prefix_space\": false|\"add_prefix_space\": true|key 'pre_tokenizer': expected"
            + " ByteLevel",
        "\"pre_tokenizer\": {|\"pre_tokenizers\": {|key 'pre_tokenizer': expected an object, found"
            + " none",
        "\"merges\": [|\"merge\": [|key 'model.merges': expected a list, found none",
        "\"content\": \"<|\"contents\": \"<|key 'added_tokens': expected objects with content and"
            + " id",
      })
  void otherCombinedFilesAreRefused(String what, String by, String expected) throws IOException {
    String text = golden("tokenizer.json");
    assertTrue(text.contains(what));
    put("tokenizer.json", text.replaceFirst(java.util.regex.Pattern.quote(what), by));
    String message = failure();
    assertTrue(message.contains(expected), message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'characters':'ba'}|expected ascending code points, found U+0061 'a' behind U+0062 'b'",
        "{'characters':''}|at least one is needed",
        "{'characters':'\\ud800'}|char_tokenizer.json: key 'characters': expected a tokenizer,"
            + " found characters: expected Unicode scalar values, found U+D800",
        "{}|char_tokenizer.json: key 'characters': expected a string, found none",
      })
  void badCharactersAreRefused(String content, String expected) throws IOException {
    put("char_tokenizer.json", content.replace('\'', '"'));
    String message = failure();
    assertTrue(message.contains(expected), message);
  }
}
