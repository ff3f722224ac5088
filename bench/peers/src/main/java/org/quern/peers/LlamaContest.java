package org.quern.peers;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.quern.core.Backend;
import org.quern.core.Precision;

/// GPT-2 beside llama.cpp's own `llama-bench`, on a model file of the user's: a process for each
/// turn, of which what it measured counts, without its start. It gives no results, so that nothing
/// is compared but what kind of model it ran.
final class LlamaContest implements Contest {
  /// Properties of the process: where llama-bench and its model are.
  static final String BENCH = "quern.llama.bench";

  static final String MODEL = "quern.llama.model";

  /// What llama.cpp calls our precisions.
  private static final Map<Precision, String> WEIGHTS =
      Map.of(
          Precision.F32, "F32",
          Precision.BF16, "BF16",
          Precision.F16, "F16",
          Precision.Q8, "Q8_0");

  private final Terms terms;
  private final QuernText ours;
  private final Path bench;
  private final List<String> arguments;

  /// @param backend ours
  /// @param m its `model`, `precision` and `context`
  /// @param bench llama-bench
  /// @param model the file that it runs
  LlamaContest(Backend backend, Match m, Path bench, Path model) {
    this.bench = bench;
    ours = new QuernText(backend, m);
    boolean decode = ours.run().length > 0;
    arguments =
        new ArrayList<>(
            List.of(
                "-m",
                model.toString(),
                "-t",
                Integer.toString(m.threads()),
                "-ngl",
                "0",
                "-r",
                "1",
                "-p",
                Integer.toString(decode ? 0 : ours.timed()),
                "-n",
                Integer.toString(decode ? ours.timed() : 0)));
    if (decode) {
      arguments.addAll(List.of("-d", Integer.toString(ours.prompt().length)));
    }
    try {
      LlamaBench found = LlamaBench.run(bench, arguments);
      check(found, model, m.precision());
      terms = new Terms(found.name() + ", results not compared", Unit.TOKENS, ours.timed(), 0);
    } catch (IllegalStateException e) {
      ours.close();
      throw e;
    }
  }

  private void check(LlamaBench found, Path model, Precision precision) {
    String type = found.modelType();
    long parameters = ours.gpt().parameters().count();
    long unembedding = (long) ours.gpt().vocabulary() * ours.gpt().config().width();
    // A file may hold the tied unembedding a second time.
    boolean alike =
        found.parameters() == parameters || found.parameters() == parameters + unembedding;
    if (!type.startsWith("gpt2 ") || !alike) {
      throw new IllegalStateException(
          "%s is a '%s' of %d parameters, and not the GPT-2 of %d that Quern runs"
              .formatted(model, type, found.parameters(), parameters));
    }
    String weights = WEIGHTS.getOrDefault(precision, "");
    if (!List.of(type.split(" ", -1)).contains(weights)) {
      throw new IllegalStateException(
          "%s is a '%s', and Quern's weights are %s: choose the other by --llama-model or --param precision="
              .formatted(model, type, weights));
    }
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
    ours.read();
  }

  @Override
  public void peer() {
    peerNanos();
  }

  @Override
  public long peerNanos() {
    return LlamaBench.run(bench, arguments).nanos();
  }

  /// Nothing: llama-bench tells how long it took, and not what came out.
  @Override
  public double difference() {
    return 0;
  }

  @Override
  public void close() {
    ours.close();
  }
}
