package org.quern.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.quern.core.Mask;
import org.quern.core.Precision;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Preset;
import org.quern.plan.Ledger;
import org.quern.plan.MemoryPlan;

/// A [Description] as one JSON object; sizes are bytes.
final class DescribeJson {
  private DescribeJson() {}

  /// {@return the object}
  static String text(Description d) throws IOException {
    return JsonParts.text(g -> write(g, d));
  }

  /// {@return the presets as an array of objects}
  static String list(List<Preset> presets) throws IOException {
    return JsonParts.text(
        g -> {
          g.writeStartArray();
          for (Preset p : presets) {
            g.writeStartObject();
            g.writeStringField("name", p.name());
            preset(g, p);
            config(g, p.config());
            g.writeNumberField("parameters", Ledger.of(p.config()).parameters());
            g.writeEndObject();
          }
          g.writeEndArray();
        });
  }

  private static void write(JsonGenerator g, Description d) throws IOException {
    g.writeStartObject();
    g.writeStringField("name", d.name());
    g.writeStringField("kind", "gpt");
    if (d.preset() != null) {
      preset(g, d.preset());
    }
    config(g, d.ledger().config());
    g.writeNumberField("parameters", d.ledger().parameters());
    ledger(g, d.ledger());
    g.writeNumberField("batch", d.batch());
    g.writeNumberField("context", d.context());
    g.writeObjectFieldStart("inferenceBytes");
    for (Map.Entry<Precision, MemoryPlan.Inference> e : d.inference().entrySet()) {
      MemoryPlan.Inference plan = e.getValue();
      g.writeObjectFieldStart(lower(e.getKey()));
      g.writeNumberField("weights", plan.weights());
      g.writeNumberField("prepared", plan.prepared());
      g.writeNumberField("cache", plan.cache());
      g.writeNumberField("activations", plan.activations());
      g.writeNumberField("rounding", plan.rounding());
      g.writeNumberField("total", plan.total());
      g.writeEndObject();
    }
    g.writeEndObject();
    training(g, "trainingBytes", d.training());
    training(g, "recomputingBytes", d.recomputing());
    g.writeObjectFieldStart("flopsPerToken");
    g.writeNumberField("products", d.flops().products());
    g.writeNumberField("attention", d.flops().attention());
    g.writeNumberField("inference", d.flops().inference());
    g.writeNumberField("training", d.flops().training());
    g.writeEndObject();
    fits(g, d.fits());
    g.writeEndObject();
  }

  private static void preset(JsonGenerator g, Preset p) throws IOException {
    g.writeStringField("title", p.title());
    g.writeStringField("source", p.source());
    if (p.recipe() != null) {
      g.writeNumberField("tokensPerStep", p.recipe().tokensPerStep());
      g.writeNumberField("learningRate", p.recipe().learningRate());
    }
  }

  private static void config(JsonGenerator g, GptConfig c) throws IOException {
    g.writeObjectFieldStart("config");
    g.writeNumberField("vocabulary", c.vocabulary());
    g.writeNumberField("context", c.context());
    g.writeNumberField("width", c.width());
    g.writeNumberField("layers", c.layers());
    g.writeNumberField("heads", c.heads());
    g.writeNumberField("headSize", c.headSize());
    g.writeNumberField("mlpWidth", c.mlpWidth());
    g.writeStringField("activation", lower(c.activation()));
    g.writeStringField("norm", lower(c.norm()));
    g.writeStringField("positions", lower(c.positions()));
    g.writeStringField("unembedding", lower(c.unembedding()));
    g.writeStringField("bias", lower(c.bias()));
    if (c.window() == Mask.UNBOUNDED) {
      g.writeNullField("window");
    } else {
      g.writeNumberField("window", c.window());
    }
    g.writeNumberField("dropout", c.dropout());
    g.writeEndObject();
  }

  private static void ledger(JsonGenerator g, Ledger ledger) throws IOException {
    g.writeObjectFieldStart("parts");
    for (Map.Entry<Ledger.Part, Long> e : ledger.parts().entrySet()) {
      g.writeNumberField(lower(e.getKey()), e.getValue());
    }
    g.writeEndObject();
    g.writeObjectFieldStart("weightsOnly");
    g.writeArrayFieldStart("groups");
    for (Ledger.Group group : ledger.matrices()) {
      g.writeStartObject();
      g.writeStringField("name", group.name());
      g.writeNumberField("parameters", group.parameters());
      g.writeNumberField("matrices", group.count());
      g.writeNumberField("rows", group.matrix().dim(0));
      g.writeNumberField("columns", group.matrix().dim(1));
      g.writeEndObject();
    }
    g.writeEndArray();
    g.writeNumberField("parameters", ledger.matrixParameters());
    g.writeNumberField("matrices", ledger.matrixCount());
    g.writeNumberField("attention", ledger.attentionParameters());
    g.writeNumberField("fullValueMap", ledger.fullValueMap());
    g.writeNumberField("factoredValueMap", ledger.factoredValueMap());
    g.writeEndObject();
  }

  private static void training(JsonGenerator g, String name, MemoryPlan.Training plan)
      throws IOException {
    g.writeObjectFieldStart(name);
    g.writeNumberField("weights", plan.weights());
    g.writeNumberField("gradients", plan.gradients());
    g.writeNumberField("moments", plan.moments());
    g.writeNumberField("activations", plan.activations());
    g.writeNumberField("rounding", plan.rounding());
    g.writeNumberField("total", plan.total());
    g.writeEndObject();
  }

  private static void fits(JsonGenerator g, List<Description.Fit> fits) throws IOException {
    g.writeArrayFieldStart("fits");
    for (Description.Fit fit : fits) {
      g.writeStartObject();
      g.writeStringField("device", fit.device());
      g.writeBooleanField("thisMachine", fit.here());
      g.writeNumberField("bytes", fit.bytes());
      g.writeObjectFieldStart("inference");
      for (Map.Entry<Precision, Boolean> e : fit.inference().entrySet()) {
        g.writeBooleanField(lower(e.getKey()), e.getValue());
      }
      g.writeEndObject();
      g.writeBooleanField("training", fit.training());
      g.writeBooleanField("recomputing", fit.recomputing());
      g.writeEndObject();
    }
    g.writeEndArray();
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
