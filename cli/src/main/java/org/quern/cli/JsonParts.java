package org.quern.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.util.Map;
import org.quern.core.DeviceInfo;

/// What several commands write as JSON.
final class JsonParts {
  private JsonParts() {}

  /// Writes a document.
  @FunctionalInterface
  interface Body {
    /// Writes one value.
    void write(JsonGenerator g) throws IOException;
  }

  /// {@return a document, indented}
  static String text(Body body) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonGenerator g = new JsonFactory().createGenerator(text).useDefaultPrettyPrinter()) {
      body.write(g);
    }
    return text.toString();
  }

  /// {@return a document on one line}
  static String compact(Body body) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonGenerator g = new JsonFactory().createGenerator(text)) {
      body.write(g);
    }
    return text.toString();
  }

  static void device(JsonGenerator g, DeviceInfo d) throws IOException {
    g.writeStartObject();
    g.writeStringField("backend", d.backend());
    g.writeNumberField("index", d.index());
    g.writeStringField("name", d.name());
    g.writeNumberField("memoryBytes", d.memoryBytes());
    for (Map.Entry<String, String> e : d.details().entrySet()) {
      g.writeStringField(e.getKey(), e.getValue());
    }
    g.writeEndObject();
  }

  static void strings(JsonGenerator g, String field, Map<String, String> values)
      throws IOException {
    g.writeObjectFieldStart(field);
    for (Map.Entry<String, String> e : values.entrySet()) {
      g.writeStringField(e.getKey(), e.getValue());
    }
    g.writeEndObject();
  }

  /// Writes a number, or null: JSON has neither infinity nor NaN.
  static void number(JsonGenerator g, String field, double value) throws IOException {
    if (Double.isFinite(value)) {
      g.writeNumberField(field, value);
    } else {
      g.writeNullField(field);
    }
  }
}
