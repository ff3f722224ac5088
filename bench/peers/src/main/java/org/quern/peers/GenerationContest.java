package org.quern.peers;

import org.quern.core.Backend;
import org.quern.core.Precision;

/// A prompt read, or tokens added to one by one, by the same GPT-2: both sides read the same
/// tokens, write their cache, and compute logits of the last position only.
final class GenerationContest implements Contest {
  private final Terms terms;
  private final Precision precision;
  private final QuernText ours;
  private final PeerGpt theirs;
  private float[] ourLogits = {};
  private float[] theirLogits = {};

  /// @param backend ours
  /// @param m its `model`, `precision` and `context`
  GenerationContest(Backend backend, Match m) {
    precision = m.precision();
    ours = new QuernText(backend, m);
    theirs = peer(m);
    double tolerance = Numbers.tolerance(precision, 1e-4);
    terms = new Terms(theirs.name(), Unit.TOKENS, ours.timed(), tolerance);
  }

  private PeerGpt peer(Match m) {
    int capacity = m.number("context");
    return switch (m.peer()) {
      case Matches.PYTORCH -> new TorchReader(ours.gpt(), capacity, m.threads(), precision);
      case Matches.ONNX -> new OnnxGpt(ours.gpt(), capacity, m.threads());
      case Matches.JLAMA -> new JlamaGpt(ours.gpt(), m.threads());
      default -> throw new IllegalArgumentException("no peer is named " + m.peer());
    };
  }

  @Override
  public Terms terms() {
    return terms;
  }

  @Override
  public void readyQuern() {
    ours.ready();
  }

  @Override
  public void quern() {
    ourLogits = ours.read();
  }

  @Override
  public void readyPeer() {
    if (ours.run().length > 0) {
      theirs.read(ours.prompt(), 0);
    }
  }

  @Override
  public void peer() {
    int[] run = ours.run();
    int[] prompt = ours.prompt();
    if (run.length == 0) {
      theirLogits = theirs.read(prompt, 0);
    }
    for (int i = 0; i < run.length; i++) {
      theirLogits = theirs.read(new int[] {run[i]}, prompt.length + i);
    }
  }

  @Override
  public double difference() {
    readyQuern();
    quern();
    readyPeer();
    peer();
    return Numbers.difference(precision, ourLogits, theirLogits);
  }

  @Override
  public void close() {
    theirs.close();
    ours.close();
  }
}
