package org.quern.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import org.quern.core.Availability;
import org.quern.core.Backends;
import org.quern.core.DeviceInfo;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `quern devices`.
@Command(
    name = "devices",
    description = "Lists backends and devices: what was found, why not, and what to do.")
final class DevicesCommand extends BaseCommand {
  @Option(names = "--json", description = "As one JSON object.")
  boolean json;

  @Override
  public Integer call() throws IOException {
    List<Backends.Found> found = Backends.probe();
    if (json) {
      out().println(json(found, settings().asMap()));
    } else {
      out().println(Backends.table(found));
      out().println();
      out().println("Settings in effect (property, or variable such as QUERN_BACKEND):");
      settings().asMap().forEach((k, v) -> out().printf("  %-14s %s%n", k, v));
    }
    out().flush();
    return 0;
  }

  private static String json(List<Backends.Found> found, Map<String, String> settings)
      throws IOException {
    StringWriter text = new StringWriter();
    try (JsonGenerator g = new JsonFactory().createGenerator(text).useDefaultPrettyPrinter()) {
      g.writeStartObject();
      g.writeArrayFieldStart("backends");
      for (Backends.Found f : found) {
        g.writeStartObject();
        g.writeStringField("name", f.provider().name());
        g.writeNumberField("priority", f.provider().priority());
        switch (f.availability()) {
          case Availability.Ready ready -> {
            g.writeBooleanField("ready", true);
            writeDevices(g, ready.devices());
          }
          case Availability.Missing m -> {
            g.writeBooleanField("ready", false);
            g.writeStringField("reason", m.reason());
            g.writeStringField("remedy", m.remedy());
          }
        }
        g.writeEndObject();
      }
      g.writeEndArray();
      g.writeObjectFieldStart("settings");
      for (Map.Entry<String, String> s : settings.entrySet()) {
        g.writeStringField(s.getKey(), s.getValue());
      }
      g.writeEndObject();
      g.writeEndObject();
    }
    return text.toString();
  }

  private static void writeDevices(JsonGenerator g, List<DeviceInfo> devices) throws IOException {
    g.writeArrayFieldStart("devices");
    for (DeviceInfo d : devices) {
      g.writeStartObject();
      g.writeNumberField("index", d.index());
      g.writeStringField("name", d.name());
      g.writeNumberField("memoryBytes", d.memoryBytes());
      for (Map.Entry<String, String> e : d.details().entrySet()) {
        g.writeStringField(e.getKey(), e.getValue());
      }
      g.writeEndObject();
    }
    g.writeEndArray();
  }
}
