package org.quern.peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.quern.io.AtomicFile;

/// Ratios as a table and as a file.
final class Report {
  private Report() {}

  /// {@return the ratios in Markdown}
  static String table(List<Ratio> ratios) {
    StringBuilder out =
        new StringBuilder(
            """
            Beside peers, in turns; medians, in brackets least and most; ratio above 1: Quern is faster

            | benchmark | sizes | threads | Quern | peer | unit | peer is | ratio |
            |---|---|---:|---:|---:|---|---|---:|
            """);
    for (Ratio r : ratios) {
      out.append(
          String.format(
              Locale.ROOT,
              "| %s | %s | %d | %s | %s | %s | %s | %.2f |%n",
              r.match().benchmark(),
              r.match().sizes(),
              r.match().threads(),
              text(r.quern()),
              text(r.peer()),
              r.unit().symbol(),
              r.peerName(),
              r.ratio()));
    }
    return out.toString();
  }

  private static String text(Figure f) {
    return short3(f.median()) + " [" + short3(f.min()) + ", " + short3(f.max()) + "]";
  }

  /// {@return a number with three digits}
  private static String short3(double x) {
    int before = x < 1 ? 0 : (int) Math.log10(x) + 1;
    return String.format(Locale.ROOT, "%." + Math.max(0, 3 - before) + "f", x);
  }

  /// Writes `[{benchmark, params, threads, precision, quern, peer, unit, peerName, ratio}]`.
  static void writeJson(Path file, List<Ratio> ratios) throws IOException {
    StringWriter text = new StringWriter();
    try (JsonGenerator json = new JsonFactory().createGenerator(text)) {
      json.setPrettyPrinter(new DefaultPrettyPrinter());
      json.writeStartArray();
      for (Ratio r : ratios) {
        write(json, r);
      }
      json.writeEndArray();
    }
    AtomicFile.write(file, (text + "\n").getBytes(StandardCharsets.UTF_8));
  }

  private static void write(JsonGenerator json, Ratio r) throws IOException {
    json.writeStartObject();
    json.writeStringField("benchmark", r.match().benchmark());
    json.writeObjectFieldStart("params");
    for (Map.Entry<String, String> e : new TreeMap<>(r.match().params()).entrySet()) {
      json.writeStringField(e.getKey(), e.getValue());
    }
    json.writeEndObject();
    json.writeNumberField("threads", r.match().threads());
    json.writeStringField("precision", r.precision());
    write(json, "quern", r.quern());
    write(json, "peer", r.peer());
    json.writeStringField("unit", r.unit().symbol());
    json.writeStringField("peerName", r.peerName());
    json.writeNumberField("ratio", r.ratio());
    json.writeEndObject();
  }

  private static void write(JsonGenerator json, String name, Figure f) throws IOException {
    json.writeObjectFieldStart(name);
    json.writeNumberField("median", f.median());
    json.writeNumberField("min", f.min());
    json.writeNumberField("max", f.max());
    json.writeEndObject();
  }
}
