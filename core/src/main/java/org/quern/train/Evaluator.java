package org.quern.train;

import java.util.Arrays;
import java.util.function.LongConsumer;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Flow;
import org.quern.flow.PreparedWeights;
import org.quern.gpt.LanguageModel;

/// Measures how well a model predicts a text.
public final class Evaluator {
  /// The target of padding.
  static final int IGNORE = -1;

  private Evaluator() {}

  /// The mean loss over a text.
  ///
  /// @param loss mean cross entropy in nats
  /// @param tokens how many tokens were predicted
  public record Result(double loss, long tokens) {
    /// {@return `exp(loss)`}
    public double perplexity() {
      return Math.exp(loss);
    }
  }

  /// {@return the loss over a text, cut into windows that follow each other without overlap, so
  /// that every token but the first is predicted once; the first of a window sees one token}
  ///
  /// @param model what to measure
  /// @param weights its prepared weights, or [PreparedWeights#NONE] while it trains
  /// @param tokens of the text, at least 2
  /// @param context T, the tokens of a window
  /// @param batch how many windows are computed together
  /// @param progress is told how many tokens are done after each batch
  /// @throws IllegalArgumentException if the text has fewer than two tokens
  public static Result evaluate(
      LanguageModel model,
      PreparedWeights weights,
      int[] tokens,
      int context,
      int batch,
      LongConsumer progress) {
    int predicted = tokens.length - 1;
    if (predicted < 1) {
      throw new IllegalArgumentException(
          "evaluation needs at least two tokens, found " + tokens.length);
    }
    int t = Math.min(context, predicted);
    long windows = (predicted + t - 1L) / t;
    double sum = 0;
    for (long first = 0; first < windows; first += batch) {
      int rows = (int) Math.min(batch, windows - first);
      sum += batchLoss(model, weights, tokens, first * t, rows, t);
      progress.accept(Math.min(predicted, (first + rows) * t));
    }
    return new Result(sum / predicted, predicted);
  }

  /// {@return the mean loss of windows at random places, as nanoGPT estimates it}
  ///
  /// @param model what to measure
  /// @param weights its prepared weights, or [PreparedWeights#NONE] while it trains
  /// @param tokens of the text, more than `context`
  /// @param context T, the tokens of a window
  /// @param batch how many windows are computed together
  /// @param batches how many times, positive
  /// @param seed of the places
  /// @throws IllegalArgumentException if the text is too short, or there are no batches
  public static Result estimate(
      LanguageModel model,
      PreparedWeights weights,
      int[] tokens,
      int context,
      int batch,
      int batches,
      long seed) {
    if (tokens.length <= context || batches < 1) {
      throw new IllegalArgumentException(
          "an estimate needs more than %d tokens and a batch, found %d and %d"
              .formatted(context, tokens.length, batches));
    }
    Batches places = new Batches(tokens, batch, context, seed);
    int[] ids = new int[Math.multiplyExact(batch, context)];
    int[] targets = new int[ids.length];
    double sum = 0;
    for (int i = 0; i < batches; i++) {
      places.fill(i, ids, targets);
      sum += loss(model, weights, ids, targets, batch);
    }
    long predicted = (long) ids.length * batches;
    return new Result(sum / predicted, predicted);
  }

  private static double batchLoss(
      LanguageModel model, PreparedWeights weights, int[] tokens, long from, int rows, int t) {
    int[] ids = new int[rows * t];
    int[] targets = new int[rows * t];
    Arrays.fill(targets, IGNORE);
    int count = (int) Math.min(ids.length, tokens.length - 1 - from);
    System.arraycopy(tokens, (int) from, ids, 0, count);
    System.arraycopy(tokens, (int) from + 1, targets, 0, count);
    return loss(model, weights, ids, targets, rows);
  }

  /// {@return the sum of the losses of all tokens}
  private static double loss(
      LanguageModel model, PreparedWeights weights, int[] ids, int[] targets, int rows) {
    int t = ids.length / rows;
    Backend backend = model.backend();
    try (Scope scope = backend.open("evaluate")) {
      Flow flow = new Flow(backend, scope, weights);
      Tensor x = scope.allocate(DType.I32, Shape.of(rows, t));
      Tensor y = scope.allocate(DType.I32, Shape.of(rows, t));
      Tensor positions = scope.allocate(DType.I32, Shape.of(rows));
      backend.upload(x, ids);
      backend.upload(y, targets);
      backend.upload(positions, new int[rows]);
      Tensor logits = model.unembed(flow, model.hidden(flow, x, positions, null));
      Tensor losses = scope.floats(ids.length);
      backend.ops().crossEntropy(losses, null, logits, y, IGNORE, 1);
      double sum = 0;
      for (float loss : backend.floats(losses)) {
        sum += loss;
      }
      return sum;
    }
  }
}
