package org.quern.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.quern.core.DeviceInfo;
import org.quern.io.AtomicFile;

/// What was measured on a day with a device: tables, written as Markdown for people and as JSON for
/// programs. It can be written at any time, with what is known so far.
final class DayReport {
  private final Map<String, String> facts = new LinkedHashMap<>();
  private final List<Table> tables = new ArrayList<>();
  private final List<String> troubles = new ArrayList<>();

  /// A table. A cell is a number or a text.
  ///
  /// @param title of the section
  /// @param conditions that the numbers hold under
  /// @param columns their names, with units
  /// @param rows one cell a column each
  record Table(String title, String conditions, List<String> columns, List<List<Object>> rows) {
    /// {@return a table without rows}
    static Table of(String title, String conditions, String... columns) {
      return new Table(title, conditions, List.of(columns), new ArrayList<>());
    }

    /// Adds a row.
    void add(Object... cells) {
      if (cells.length != columns.size()) {
        throw new IllegalArgumentException(
            "%s: %d cells for %d columns".formatted(title, cells.length, columns.size()));
      }
      rows.add(List.of(cells));
    }
  }

  /// Notes what the day was like.
  void fact(String name, String value) {
    facts.put(name, value);
  }

  /// Notes the device.
  void device(DeviceInfo device) {
    fact("device", "%s:%d %s".formatted(device.backend(), device.index(), device.name()));
    device.details().forEach(this::fact);
  }

  /// Takes a table over, which may still get rows.
  Table add(Table table) {
    tables.add(table);
    return table;
  }

  /// Notes something that is not as it should be.
  void trouble(String what) {
    troubles.add(what);
  }

  /// {@return what is not as it should be}
  List<String> troubles() {
    return List.copyOf(troubles);
  }

  /// Writes both files, each whole or not at all.
  ///
  /// @param folder takes `report.md` and `report.json`
  void write(Path folder) throws IOException {
    AtomicFile.write(folder.resolve("report.md"), utf8(markdown()));
    AtomicFile.write(folder.resolve("report.json"), utf8(JsonParts.text(this::json)));
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /// {@return all of it as Markdown}
  String markdown() {
    StringBuilder out = new StringBuilder("# A day with a device\n\n");
    facts.forEach((k, v) -> out.append("- %s: %s%n".formatted(k, v)));
    out.append(troubles.isEmpty() ? "\nNothing went wrong.\n" : "\n## What went wrong\n\n");
    troubles.forEach(t -> out.append("- ").append(t).append('\n'));
    for (Table t : tables) {
      out.append("%n## %s%n%n%s%n%n".formatted(t.title, t.conditions));
      row(out, t.columns);
      row(out, t.columns.stream().map(c -> "---").toList());
      t.rows.forEach(r -> row(out, r.stream().map(DayReport::cell).toList()));
    }
    return out.toString();
  }

  private static void row(StringBuilder out, List<String> cells) {
    out.append("| ").append(String.join(" | ", cells)).append(" |\n");
  }

  /// {@return a number with four digits, whatever its size}
  private static String cell(Object value) {
    return switch (value) {
      case Double d when d == 0 || !Double.isFinite(d) -> d.toString();
      case Double d when Math.abs(d) >= 1000 -> String.format(Locale.ROOT, "%.0f", d);
      case Double d when Math.abs(d) >= 1e-3 ->
          String.format(
              Locale.ROOT, "%." + (3 - (int) Math.floor(Math.log10(Math.abs(d)))) + "f", d);
      case Double d -> String.format(Locale.ROOT, "%.3e", d);
      default -> value.toString().replace("|", "\\|");
    };
  }

  private void json(JsonGenerator g) throws IOException {
    g.writeStartObject();
    JsonParts.strings(g, "facts", facts);
    g.writeArrayFieldStart("troubles");
    for (String t : troubles) {
      g.writeString(t);
    }
    g.writeEndArray();
    g.writeArrayFieldStart("tables");
    for (Table t : tables) {
      g.writeStartObject();
      g.writeStringField("title", t.title);
      g.writeStringField("conditions", t.conditions);
      g.writeArrayFieldStart("rows");
      for (List<Object> row : t.rows) {
        g.writeStartObject();
        for (int i = 0; i < row.size(); i++) {
          field(g, t.columns.get(i), row.get(i));
        }
        g.writeEndObject();
      }
      g.writeEndArray();
      g.writeEndObject();
    }
    g.writeEndArray();
    g.writeEndObject();
  }

  private static void field(JsonGenerator g, String name, Object value) throws IOException {
    switch (value) {
      case Integer n -> g.writeNumberField(name, n);
      case Long n -> g.writeNumberField(name, n);
      case Double d -> JsonParts.number(g, name, d);
      default -> g.writeStringField(name, value.toString());
    }
  }
}
