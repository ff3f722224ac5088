package org.quern.cli;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.quern.io.FormatException;

/// All values of a training run by their names, such as `training.steps`: what a TOML file says
/// over what `defaults.toml` says. That file is also the list of what there is, and of what type it
/// is.
final class Recipe {
  /// Those that come with Quern.
  static final List<String> NAMES =
      List.of(
          "small",
          "bigram",
          "shakespeare",
          "shakespeare-char",
          "shakespeare-char-cpu",
          "gpt2",
          "finetune");

  private static final String DEFAULTS = "defaults";
  private static final long LARGEST_FILE = 1 << 20;

  private final String name;
  private final Map<String, Object> values;

  private Recipe(String name, Map<String, Object> values) {
    this.name = name;
    this.values = values;
  }

  /// {@return a recipe that comes with Quern, or that a file holds}
  ///
  /// @param nameOrFile one of [#NAMES], else a path
  /// @throws IllegalArgumentException if there is none
  /// @throws FormatException if the file is no TOML, or has a value that there is not
  static Recipe of(String nameOrFile) {
    Recipe defaults = new Recipe(DEFAULTS, flat(DEFAULTS, resource(DEFAULTS)));
    if (NAMES.contains(nameOrFile)) {
      return defaults.over(nameOrFile, flat(nameOrFile, resource(nameOrFile)));
    }
    Path file = Path.of(nameOrFile);
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(
          "there is no recipe and no file '%s'; the recipes are %s"
              .formatted(nameOrFile, String.join(", ", NAMES)));
    }
    String stem = file.getFileName().toString().replaceFirst("\\.toml$", "");
    return defaults.over(stem, flat(nameOrFile, content(file)));
  }

  private static byte[] resource(String name) {
    try (InputStream in = Recipe.class.getResourceAsStream("recipes/" + name + ".toml")) {
      return Objects.requireNonNull(in, name).readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] content(Path file) {
    try {
      if (Files.size(file) > LARGEST_FILE) {
        throw new FormatException(file.toString(), "size", "a recipe", "more than 1 MiB");
      }
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// {@return the values of all tables by `table.key`}
  private static Map<String, Object> flat(String file, byte[] toml) {
    Map<?, ?> tables;
    try {
      tables = new TomlMapper().readValue(toml, Map.class);
    } catch (JacksonException e) {
      String where = e.getLocation() == null ? "content" : "line " + e.getLocation().getLineNr();
      throw new FormatException(file, where, "TOML", e.getOriginalMessage(), null, e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Map<String, Object> all = new LinkedHashMap<>();
    tables.forEach(
        (table, keys) -> {
          if (!(keys instanceof Map<?, ?> map)) {
            throw new FormatException(file, "key '" + table + "'", "a [table] around it", "none");
          }
          map.forEach((key, value) -> all.put(table + "." + key, value));
        });
    return all;
  }

  private Recipe over(String newName, Map<String, Object> more) {
    Recipe r = this;
    for (Map.Entry<String, Object> e : more.entrySet()) {
      r = r.with(newName, e.getKey(), e.getValue());
    }
    return new Recipe(newName, r.values);
  }

  /// {@return this recipe with another value}
  ///
  /// @param key such as `training.steps`
  /// @param value of the key's type, or a text that can be read as such; null for the same as
  ///   before
  /// @throws FormatException if there is no such key, or it cannot be that value
  Recipe with(String key, @Nullable Object value) {
    return value == null ? this : with(name, key, value);
  }

  private Recipe with(String origin, String key, Object value) {
    Object before = values.get(key);
    if (before == null) {
      throw new FormatException(
          origin, "key '" + key + "'", "one of " + String.join(", ", values.keySet()), "another");
    }
    Map<String, Object> changed = new LinkedHashMap<>(values);
    changed.put(key, converted(origin, key, before, value));
    return new Recipe(name, changed);
  }

  private static Object converted(String origin, String key, Object before, Object value) {
    String text = String.valueOf(value);
    try {
      return switch (before) {
        case String s -> text;
        case Boolean b when text.equals("true") || text.equals("false") -> Boolean.valueOf(text);
        case Number whole when !(whole instanceof BigDecimal) -> Long.parseLong(text);
        case BigDecimal decimal -> new BigDecimal(text);
        default -> throw new NumberFormatException(text);
      };
    } catch (NumberFormatException | ArithmeticException e) {
      String type =
          switch (before) {
            case Boolean b -> "true or false";
            case BigDecimal d -> "a number";
            default -> "a whole number";
          };
      throw new FormatException(origin, "key '" + key + "'", type, text, null, e);
    }
  }

  /// {@return what it is called}
  String name() {
    return name;
  }

  private Object value(String key) {
    return Objects.requireNonNull(values.get(key), key);
  }

  int whole(String key) {
    long n = large(key);
    if (n != (int) n) {
      throw new FormatException(name, "key '" + key + "'", "at most " + Integer.MAX_VALUE, "" + n);
    }
    return (int) n;
  }

  long large(String key) {
    return ((Number) value(key)).longValue();
  }

  float number(String key) {
    return (float) exact(key);
  }

  double exact(String key) {
    return ((Number) value(key)).doubleValue();
  }

  boolean truth(String key) {
    return (Boolean) value(key);
  }

  String text(String key) {
    return (String) value(key);
  }

  /// {@return a value that is one of a few}
  ///
  /// @throws FormatException if it is none of them
  <E extends Enum<E>> E choice(String key, Class<E> type) {
    String text = text(key);
    List<E> all = Arrays.asList(Objects.requireNonNull(type.getEnumConstants()));
    return all.stream()
        .filter(e -> e.name().equalsIgnoreCase(text))
        .findFirst()
        .orElseThrow(
            () ->
                new FormatException(
                    name,
                    "key '" + key + "'",
                    "one of " + all.toString().toLowerCase(Locale.ROOT),
                    "'" + text + "'"));
  }

  /// {@return all values as a TOML file}
  String toml() {
    StringBuilder out = new StringBuilder("# All values of this run.\n");
    String table = "";
    for (Map.Entry<String, Object> e : values.entrySet()) {
      String[] parts = e.getKey().split("\\.", 2);
      if (!parts[0].equals(table)) {
        table = parts[0];
        out.append("\n[").append(table).append("]\n");
      }
      out.append(parts[1]).append(" = ").append(quoted(e.getValue())).append('\n');
    }
    return out.toString();
  }

  private static String quoted(Object value) {
    if (!(value instanceof String text)) {
      return value.toString();
    }
    StringBuilder out = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        out.append('\\').append(c);
      } else if (c < ' ' || c == 127) {
        out.append("\\u%04x".formatted((int) c));
      } else {
        out.append(c);
      }
    }
    return out.append('"').toString();
  }
}
