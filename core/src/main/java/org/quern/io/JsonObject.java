package org.quern.io;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The values of a JSON object by key, checked as they are asked for.
///
/// @param file names the file in messages
/// @param path of the object in the file, empty or ending in a dot
/// @param values by key
record JsonObject(String file, String path, Map<String, @Nullable Object> values) {
  /// {@return whether the key is there and not null}
  boolean has(String key) {
    return values.get(key) != null;
  }

  FormatException bad(String key, String expected, String found) {
    return new FormatException(file, "key '%s%s'".formatted(path, key), expected, found);
  }

  private FormatException bad(String key, String expected) {
    Object value = values.get(key);
    String found =
        !values.containsKey(key)
            ? "none"
            : switch (value) {
              case null -> "null";
              case String s -> "'%s'".formatted(Json.shortened(s));
              default -> Json.shortened(value.toString());
            };
    return bad(key, expected, found);
  }

  /// {@return a whole number from 1 to a most}
  int count(String key, int most) {
    String expected = "a whole number from 1 to %d".formatted(most);
    if (!(values.get(key) instanceof Long n) || n < 1 || n > most) {
      throw bad(key, expected);
    }
    return Math.toIntExact(n);
  }

  /// {@return a number}
  double number(String key, double otherwise) {
    Object value = values.get(key);
    return switch (value) {
      case null -> otherwise;
      case Long n -> n;
      case Double n -> n;
      default -> throw bad(key, "a number");
    };
  }

  /// {@return a truth value}
  boolean truth(String key, boolean otherwise) {
    Object value = values.get(key);
    return switch (value) {
      case null -> otherwise;
      case Boolean b -> b;
      default -> throw bad(key, "true or false");
    };
  }

  /// {@return a text}
  String text(String key) {
    if (values.get(key) instanceof String s) {
      return s;
    }
    throw bad(key, "a string");
  }

  /// {@return a text, or another where there is none}
  String text(String key, String otherwise) {
    return has(key) ? text(key) : otherwise;
  }

  /// {@return an object in this one}
  @SuppressWarnings("unchecked") // keys of JSON objects are strings
  JsonObject object(String key) {
    if (values.get(key) instanceof Map<?, ?> map) {
      return new JsonObject(file, path + key + ".", (Map<String, @Nullable Object>) map);
    }
    throw bad(key, "an object");
  }
}
