package org.quern.peers;

import java.util.Arrays;
import org.quern.bench.Models;
import org.quern.core.Backend;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.ParameterSource;

/// Our side where a prompt is read (`prefill`), or tokens are added to one by one (`decode`), by a
/// GPT-2 with random parameters, as in Quern's own benchmarks of these names: of a run of decoding,
/// which is timed without the prompt before it, the last token sees `context`.
final class QuernText implements AutoCloseable {
  /// Tokens that are decoded in a call.
  private static final int RUN = 16;

  private final int[] prompt;
  private final int[] run;
  private final Gpt gpt;
  private final InferenceModel model;
  private final Session session;

  /// @param backend where
  /// @param m its `model`, and `context`, the tokens that the last one sees
  QuernText(Backend backend, Match m) {
    boolean decode = m.benchmark().equals("decode");
    int context = m.number("context");
    if (decode && context <= RUN) {
      throw new IllegalArgumentException(
          "decode needs a context above %d, found %d".formatted(RUN, context));
    }
    gpt = new Gpt(backend, Models.config(m.text("model")), ParameterSource.random(Models.SEED));
    int[] ids = Numbers.ids(gpt.vocabulary(), context);
    prompt = Arrays.copyOf(ids, decode ? context - RUN : context);
    run = Arrays.copyOfRange(ids, prompt.length, context);
    model = InferenceModel.of(gpt);
    session = model.open(1, context);
  }

  Gpt gpt() {
    return gpt;
  }

  /// {@return the tokens in front}
  int[] prompt() {
    return prompt;
  }

  /// {@return the tokens that are added one by one; none where the prompt itself is timed}
  int[] run() {
    return run;
  }

  /// {@return how many tokens are timed}
  int timed() {
    return run.length == 0 ? prompt.length : run.length;
  }

  /// Reads the prompt in front of what is timed.
  void ready() {
    if (run.length > 0) {
      session.prefill(prompt);
    }
  }

  /// {@return the logits behind all tokens}
  float[] read() {
    if (run.length == 0) {
      return session.prefill(prompt)[0];
    }
    float[] last = {};
    for (int id : run) {
      last = session.step(id)[0];
    }
    return last;
  }

  @Override
  public void close() {
    session.close();
    model.close();
    gpt.close();
  }
}
