package org.quern.peers;

import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.quern.bench.Models;
import org.quern.core.Backend;
import org.quern.generate.InferenceModel;
import org.quern.generate.Session;
import org.quern.gpt.Gpt;
import org.quern.gpt.ParameterSource;

/// A prompt read (`prefill`), or tokens added to one by one (`decode`), by the same GPT-2 with
/// random parameters. Both sides write their cache, and compute logits of the last position only.
final class GenerationContest implements Contest {
  /// Tokens in front of those that are decoded.
  private static final int PROMPT = 16;

  private final Terms terms;
  private final boolean decode;
  private final int tokens;
  private final int[] prompt;
  private final PointerScope pointers = new PointerScope();
  private final NoGradGuard noGradients = new NoGradGuard();
  private final Gpt gpt;
  private final InferenceModel model;
  private final Session session;
  private final TorchGpt theirs;
  private final List<TorchGpt.Cache> cache;
  private float[] ourLogits = {};
  private float[] theirLogits = {};

  /// @param backend ours
  /// @param m its `model`, and `context`, the tokens to read or to add
  GenerationContest(Backend backend, Match m) {
    decode = m.benchmark().equals("decode");
    tokens = m.number("context");
    terms = new Terms(Torch.open(m.threads()), Unit.TOKENS, tokens, 1e-4);
    gpt = new Gpt(backend, Models.config(m.text("model")), ParameterSource.random(Models.SEED));
    theirs = new TorchGpt(gpt);
    model = InferenceModel.of(gpt);
    int length = decode ? PROMPT + tokens : tokens;
    prompt = Numbers.ids(gpt.vocabulary(), decode ? PROMPT : tokens);
    session = model.open(1, length);
    cache = theirs.newCache(length);
  }

  @Override
  public Terms terms() {
    return terms;
  }

  @Override
  public void quern() {
    ourLogits = session.prefill(prompt)[0];
    for (int i = 0; decode && i < tokens; i++) {
      ourLogits = session.step(highest(ourLogits))[0];
    }
  }

  @Override
  public void peer() {
    theirLogits = read(prompt, 0);
    for (int i = 0; decode && i < tokens; i++) {
      theirLogits = read(new int[] {highest(theirLogits)}, PROMPT + i);
    }
  }

  /// {@return the token that is most likely}
  private static int highest(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  private float[] read(int[] ids, long start) {
    try (PointerScope calls = new PointerScope()) {
      Tensor x = theirs.hidden(Torch.ids(ids, 1, ids.length), start, cache);
      return Torch.floats(theirs.unembed(x.narrow(1, ids.length - 1, 1)));
    }
  }

  @Override
  public double difference() {
    quern();
    peer();
    return Numbers.difference(ourLogits, theirLogits);
  }

  @Override
  public void close() {
    session.close();
    model.close();
    gpt.close();
    noGradients.close();
    pointers.close();
  }
}
