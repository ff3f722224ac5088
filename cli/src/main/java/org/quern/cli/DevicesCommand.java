package org.quern.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.quern.core.Availability;
import org.quern.core.Backends;
import org.quern.core.DeviceInfo;
import org.quern.core.Settings;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// `quern devices`.
@Command(
    name = "devices",
    description = "Lists backends and devices: what was found, why not, and what to do.")
final class DevicesCommand extends BaseCommand {
  @Mixin PrecisionOption precision = new PrecisionOption();

  @Option(names = "--json", description = "As one JSON object.")
  boolean json;

  @Override
  public Integer call() throws IOException {
    Settings settings = precision.in(settings());
    List<Backends.Found> found = Backends.probe();
    if (json) {
      out().println(JsonParts.text(g -> write(g, found, settings.asMap())));
    } else {
      out().println(Backends.table(found));
      out().println();
      out().println("Settings in effect (property, or variable such as QUERN_BACKEND):");
      settings.asMap().forEach((k, v) -> out().printf("  %-14s %s%n", k, v));
    }
    out().flush();
    return 0;
  }

  private static void write(
      JsonGenerator g, List<Backends.Found> found, Map<String, String> settings)
      throws IOException {
    g.writeStartObject();
    g.writeArrayFieldStart("backends");
    for (Backends.Found f : found) {
      g.writeStartObject();
      g.writeStringField("name", f.provider().name());
      g.writeNumberField("priority", f.provider().priority());
      switch (f.availability()) {
        case Availability.Ready ready -> {
          g.writeBooleanField("ready", true);
          g.writeArrayFieldStart("devices");
          for (DeviceInfo d : ready.devices()) {
            JsonParts.device(g, d);
          }
          g.writeEndArray();
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
    JsonParts.strings(g, "settings", settings);
    g.writeEndObject();
  }
}
