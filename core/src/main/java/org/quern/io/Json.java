package org.quern.io;

import com.fasterxml.jackson.core.JsonEncoding;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// JSON from files that are not trusted: UTF-8, limited depth, no key twice, nothing behind the
/// end.
final class Json {
  private static final int DEPTH = 32;
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          // Keys of a vocabulary are never seen again, and an attacker's may collide.
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(DEPTH)
                  .maxNumberLength(40)
                  .maxNameLength(1 << 16)
                  .maxStringLength(1 << 24)
                  .build())
          .build();

  private Json() {}

  /// What reads one document.
  interface Reader<T> {
    /// {@return what the document says}
    ///
    /// @param parser before its first token
    T read(JsonParser parser) throws IOException;
  }

  /// {@return what a reader makes of a document}
  ///
  /// @param file names it in messages
  /// @param where names the part of the file in messages
  /// @throws FormatException if the document is no JSON within the limits
  static <T> T read(String file, String where, InputStream bytes, Reader<T> reader) {
    // A decoder of our own: Jackson would guess the encoding, and replace what is malformed.
    InputStreamReader text = new InputStreamReader(bytes, StandardCharsets.UTF_8.newDecoder());
    try (JsonParser parser = FACTORY.createParser(text)) {
      T value = reader.read(parser);
      if (parser.nextToken() != null) {
        throw new FormatException(
            file, at(where, parser.currentTokenLocation()), "the end", parser.getText());
      }
      return value;
    } catch (JsonProcessingException e) {
      throw new FormatException(
          file, at(where, e.getLocation()), "JSON", e.getOriginalMessage(), null, e);
    } catch (CharacterCodingException e) {
      throw new FormatException(file, where, "UTF-8", "other bytes", null, e);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + file, e);
    }
  }

  private static String at(String where, @Nullable JsonLocation location) {
    return location == null
        ? where
        : "%s, line %d, column %d".formatted(where, location.getLineNr(), location.getColumnNr());
  }

  /// {@return an object with everything in it}
  ///
  /// @param file names it in messages
  /// @throws FormatException if it is not an object in JSON
  static JsonObject readObject(String file, InputStream bytes) {
    return read(
        file,
        "JSON",
        bytes,
        parser -> {
          if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw new FormatException(file, "JSON", "an object", text(parser));
          }
          return new JsonObject(file, "", object(file, parser));
        });
  }

  private static Map<String, @Nullable Object> object(String file, JsonParser parser)
      throws IOException {
    Map<String, @Nullable Object> out = new LinkedHashMap<>();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String key = parser.currentName();
      parser.nextToken();
      if (out.containsKey(key)) {
        throw twice(file, key);
      }
      out.put(key, value(file, parser));
    }
    return out;
  }

  static FormatException twice(String file, String key) {
    return new FormatException(file, "key '%s'".formatted(key), "it once", "it twice");
  }

  private static @Nullable Object value(String file, JsonParser parser) throws IOException {
    return switch (parser.currentToken()) {
      case START_OBJECT -> object(file, parser);
      case START_ARRAY -> {
        List<@Nullable Object> out = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          out.add(value(file, parser));
        }
        yield out;
      }
      case VALUE_STRING -> parser.getText();
      case VALUE_NUMBER_INT -> parser.getLongValue();
      case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      default -> null;
    };
  }

  /// {@return the current token, for messages}
  static String text(JsonParser parser) throws IOException {
    return parser.currentToken() == null ? "the end of the text" : shortened(parser.getText());
  }

  /// {@return what is left of a text that an attacker may have made long}
  static String shortened(String text) {
    return text.length() <= 80 ? text : text.substring(0, 80) + "...";
  }

  /// What writes one document.
  interface Body {
    /// Writes it.
    ///
    /// @param out where to
    void write(JsonGenerator out) throws IOException;
  }

  /// How a document is laid out.
  enum Layout {
    /// One line, no spaces.
    COMPACT,
    /// A line each entry, indented by two.
    INDENTED
  }

  /// {@return the text}
  ///
  /// @throws IllegalArgumentException if it has an unpaired surrogate, which other programs refuse
  static String wellFormed(String text) {
    if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
      throw new IllegalArgumentException(
          "expected well-formed text, found an unpaired surrogate in '%s'"
              .formatted(shortened(text)));
    }
    return text;
  }

  /// {@return a document in UTF-8}
  static byte[] write(Layout layout, Body body) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator out = FACTORY.createGenerator(bytes, JsonEncoding.UTF8)) {
      if (layout == Layout.INDENTED) {
        out.setPrettyPrinter(
            new DefaultPrettyPrinter(
                Separators.createDefaultInstance()
                    .withObjectFieldValueSpacing(Separators.Spacing.AFTER)));
      }
      body.write(out);
      if (layout == Layout.INDENTED) {
        out.writeRaw('\n');
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory never fails
    }
    return bytes.toByteArray();
  }
}
