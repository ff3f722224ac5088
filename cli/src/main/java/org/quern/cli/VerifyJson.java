package org.quern.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import org.quern.tck.Ceilings;
import org.quern.tck.Report;
import org.quern.tck.Speed;

/// What `quern verify --json` prints.
final class VerifyJson {
  private final JsonGenerator g;
  private final Verification v;

  /// @param g takes one object
  /// @param v what was found
  VerifyJson(JsonGenerator g, Verification v) {
    this.g = g;
    this.v = v;
  }

  /// Writes the object.
  ///
  /// @param settings in effect
  void write(Map<String, String> settings) throws IOException {
    g.writeStartObject();
    g.writeFieldName("device");
    JsonParts.device(g, v.device());
    JsonParts.strings(g, "settings", settings);
    ceilings();
    g.writeBooleanField("passed", v.failures().isEmpty());
    g.writeNumberField("checks", v.report().outcomes().size());
    g.writeArrayFieldStart("operations");
    for (Report.Row row : v.report().rows()) {
      operation(row);
    }
    g.writeEndArray();
    g.writeArrayFieldStart("failures");
    for (Verification.Failure f : v.failures()) {
      g.writeStartObject();
      g.writeStringField("check", f.what());
      g.writeStringField("message", f.message());
      g.writeEndObject();
    }
    g.writeEndArray();
    g.writeEndObject();
  }

  private void ceilings() throws IOException {
    Ceilings c = v.ceilings();
    if (c == null) {
      g.writeNullField("ceilings");
      return;
    }
    g.writeObjectFieldStart("ceilings");
    JsonParts.number(g, "copyGigabytesPerSecond", c.copyRate() * 1e-9);
    g.writeNumberField("copyBytes", c.copyBytes());
    JsonParts.number(g, "bestMatmulGigaflopsPerSecond", c.matmulRate() * 1e-9);
    g.writeNumberField("bestMatmulSize", c.matmulSize());
    g.writeEndObject();
  }

  private void operation(Report.Row row) throws IOException {
    g.writeStartObject();
    g.writeStringField("operation", row.operation());
    g.writeStringField("storage", Report.text(row.storage()));
    g.writeStringField("made", row.made());
    g.writeNumberField("cases", row.cases());
    g.writeNumberField("passed", row.passed());
    g.writeNumberField("failed", row.failed());
    g.writeNumberField("unsupported", row.unsupported());
    if (row.worst().output().isEmpty()) {
      g.writeNullField("error");
      g.writeNullField("allowed");
    } else {
      JsonParts.number(g, "error", row.worst().error());
      JsonParts.number(g, "allowed", row.worst().allowed());
    }
    g.writeArrayFieldStart("calls");
    for (Verification.Call c : v.calls(row)) {
      call(c);
    }
    g.writeEndArray();
    g.writeEndObject();
  }

  private void call(Verification.Call call) throws IOException {
    g.writeStartObject();
    g.writeStringField("call", call.timed().label());
    Speed s = call.speed();
    Ceilings c = v.ceilings();
    if (s != null && c != null) {
      JsonParts.number(g, "seconds", s.seconds());
      g.writeNumberField("bytes", (long) s.bytes());
      g.writeNumberField("flops", (long) s.flops());
      JsonParts.number(g, "gigabytesPerSecond", s.gigabytes());
      JsonParts.number(g, "gigaflopsPerSecond", s.gigaflops());
      g.writeStringField("ceiling", c.bound(s).name().toLowerCase(Locale.ROOT));
      JsonParts.number(g, "shareOfCeiling", c.share(s));
    } else if (call.failed().isEmpty()) {
      g.writeStringField("skipped", call.skipped());
    } else {
      g.writeStringField("failed", call.failed());
    }
    g.writeEndObject();
  }
}
