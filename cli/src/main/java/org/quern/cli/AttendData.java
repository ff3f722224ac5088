package org.quern.cli;

import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.quern.core.Mask;
import org.quern.generate.Inspection;
import org.quern.generate.Logits;
import org.quern.generate.TextModel;
import org.quern.text.Tokenizer;

/// What `quern attend` tells, as JSON: for people who script, and for the page.
final class AttendData {
  /// How many tokens a line of the logit lens has.
  private static final int LENS = 5;

  /// How many tokens of the distribution have a text.
  private static final int TEXTS = 200;

  private final Inspection inspection;
  private final TextModel model;
  private final String name;

  /// @param inspection of a text
  /// @param model that was inspected
  /// @param name of the model, for people
  AttendData(Inspection inspection, TextModel model, String name) {
    this.inspection = inspection;
    this.model = model;
    this.name = name;
  }

  Inspection inspection() {
    return inspection;
  }

  String name() {
    return name;
  }

  /// {@return the text of a token}
  String text(int id) {
    Optional<Tokenizer> tokenizer = model.tokenizer();
    return Text.of(tokenizer, id);
  }

  /// {@return the most probable tokens behind the text after so many blocks}
  List<Logits.Candidate> top(int blocks, int count) {
    return Logits.top(inspection.prediction(blocks), count);
  }

  /// Writes one object.
  void write(JsonGenerator g) throws IOException {
    Inspection x = inspection;
    g.writeStartObject();
    g.writeStringField("model", name);
    g.writeStringField("device", model.backend().device().name());
    g.writeNumberField("layers", x.layers());
    g.writeNumberField("heads", x.heads());
    g.writeNumberField("headSize", x.headSize());
    g.writeNumberField("scale", x.scale());
    g.writeFieldName("ids");
    g.writeArray(x.ids(), 0, x.length());
    g.writeArrayFieldStart("tokens");
    for (int id : x.ids()) {
      g.writeString(text(id));
    }
    g.writeEndArray();
    g.writeArrayFieldStart("attention");
    for (int l = 0; l < x.layers(); l++) {
      layer(g, l);
    }
    g.writeEndArray();
    lens(g);
    next(g);
    g.writeEndObject();
  }

  private void layer(JsonGenerator g, int l) throws IOException {
    g.writeStartObject();
    int window = inspection.mask(l).window();
    if (window == Mask.UNBOUNDED) {
      g.writeNullField("window");
    } else {
      g.writeNumberField("window", window);
    }
    g.writeArrayFieldStart("heads");
    for (int h = 0; h < inspection.heads(); h++) {
      head(g, l, h);
    }
    g.writeEndArray();
    g.writeEndObject();
  }

  private void head(JsonGenerator g, int l, int h) throws IOException {
    Inspection x = inspection;
    g.writeStartObject();
    g.writeArrayFieldStart("q");
    for (int i = 0; i < x.length(); i++) {
      numbers(g, doubles(x.query(l, h, i)));
    }
    g.writeEndArray();
    g.writeArrayFieldStart("k");
    for (int i = 0; i < x.length(); i++) {
      numbers(g, doubles(x.key(l, h, i)));
    }
    g.writeEndArray();
    g.writeArrayFieldStart("scores"); // null where masked
    for (int i = 0; i < x.length(); i++) {
      double[] scores = x.scores(l, h, i);
      g.writeStartArray();
      for (int j = 0; j < scores.length; j++) {
        if (x.visible(l, i, j)) {
          number(g, scores[j]);
        } else {
          g.writeNull();
        }
      }
      g.writeEndArray();
    }
    g.writeEndArray();
    g.writeArrayFieldStart("weights");
    for (int i = 0; i < x.length(); i++) {
      numbers(g, x.weights(l, h, i));
    }
    g.writeEndArray();
    double[] values = new double[x.length()];
    double[] updates = new double[x.length()];
    for (int j = 0; j < values.length; j++) {
      values[j] = Inspection.norm(doubles(x.value(l, h, j)));
      updates[j] = Inspection.norm(x.update(l, h, j));
    }
    g.writeFieldName("valueNorms");
    numbers(g, values);
    g.writeFieldName("updateNorms");
    numbers(g, updates);
    g.writeEndObject();
  }

  private void lens(JsonGenerator g) throws IOException {
    Logits.Candidate choice = top(inspection.layers(), 1).getFirst();
    g.writeFieldName("choice");
    candidate(g, choice);
    g.writeArrayFieldStart("lens");
    for (int blocks = 0; blocks <= inspection.layers(); blocks++) {
      g.writeStartObject();
      g.writeNumberField("blocks", blocks);
      g.writeArrayFieldStart("top");
      for (Logits.Candidate c : top(blocks, LENS)) {
        candidate(g, c);
      }
      g.writeEndArray();
      g.writeNumberField(
          "choiceLogprob", Logits.logProbability(inspection.prediction(blocks), choice.id()));
      g.writeEndObject();
    }
    g.writeEndArray();
  }

  private void candidate(JsonGenerator g, Logits.Candidate c) throws IOException {
    g.writeStartObject();
    g.writeNumberField("id", c.id());
    g.writeStringField("text", text(c.id()));
    g.writeNumberField("logit", c.logit());
    g.writeNumberField("logprob", c.logProbability());
    g.writeEndObject();
  }

  private void next(JsonGenerator g) throws IOException {
    g.writeObjectFieldStart("next");
    g.writeArrayFieldStart("logits"); // by id
    for (float x : inspection.logits()) {
      g.writeNumber(x);
    }
    g.writeEndArray();
    g.writeArrayFieldStart("texts"); // of the most probable tokens, the most probable first
    for (Logits.Candidate c : top(inspection.layers(), TEXTS)) {
      g.writeString(text(c.id()));
    }
    g.writeEndArray();
    g.writeEndObject();
  }

  private static double[] doubles(float[] x) {
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = x[i];
    }
    return out;
  }

  private static void numbers(JsonGenerator g, double[] x) throws IOException {
    g.writeStartArray();
    for (double e : x) {
      number(g, e);
    }
    g.writeEndArray();
  }

  /// Six digits behind the point: there are millions.
  private static void number(JsonGenerator g, double x) throws IOException {
    double rounded = Math.rint(x * 1e6) / 1e6;
    if (rounded == 0) {
      g.writeNumber(0);
    } else if (Double.isFinite(rounded)) {
      g.writeNumber(rounded);
    } else {
      throw new IllegalArgumentException(
          "attention is not finite here: the model's weights hold NaN or overflowed, check its"
              + " file");
    }
  }
}
