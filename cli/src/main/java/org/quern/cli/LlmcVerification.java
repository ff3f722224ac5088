package org.quern.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Gradients;
import org.quern.flow.Tape;
import org.quern.gpt.LanguageModel;
import org.quern.gpt.Parameter;
import org.quern.io.LlmcState;
import org.quern.io.Storage;

/// Compares logits, loss and gradients with those that PyTorch wrote for llm.c.
///
/// llm.c's own test takes fixed differences as bounds, which small gradients keep whatever they
/// are; so here the difference of a tensor must also be small beside the tensor (both as Euclidean
/// norms). Against a checkpoint in bf16, whose reference was computed with weights in f32, only
/// wider relative bounds hold.
final class LlmcVerification {
  private static final int IGNORE = -1;

  /// What must hold.
  ///
  /// @param logits the largest difference, absolute
  /// @param loss the same
  /// @param gradient the same
  /// @param relative norm of the difference over the norm
  record Bounds(double logits, double loss, double gradient, double relative) {
    /// Those of llm.c's `test_gpt2.c`, and a hundredth.
    static final Bounds F32 = new Bounds(1e-2, 1e-2, 2e-2, 1e-2);

    /// The loss as in `test_gpt2.cu`. A weight is off by up to 2^-9 of itself, and a few dozen
    /// products follow on each other.
    static final Bounds BF16 =
        new Bounds(Double.POSITIVE_INFINITY, 5e-2, Double.POSITIVE_INFINITY, 1e-1);

    static Bounds of(Storage storage) {
      return storage == Storage.BF16 ? BF16 : F32;
    }
  }

  /// How far a tensor is off.
  ///
  /// @param name of it
  /// @param largest difference
  /// @param relative norm of the difference over the norm
  /// @param passed whether both are within bounds
  record Row(String name, double largest, double relative, boolean passed) {}

  private LlmcVerification() {}

  /// {@return a row for the logits, the loss and each parameter's gradient, all layers in one}
  ///
  /// @param model the checkpoint's, without dropout
  /// @param state what to compare with
  /// @param bounds what must hold
  static List<Row> run(LanguageModel model, LlmcState state, Bounds bounds) {
    Backend backend = model.backend();
    int b = state.batch();
    int t = state.length();
    List<Row> rows = new ArrayList<>();
    try (Scope work = backend.open("verify")) {
      Tensor x = work.allocate(DType.I32, Shape.of(b, t));
      Tensor y = work.allocate(DType.I32, Shape.of(b, t));
      Tensor positions = work.allocate(DType.I32, Shape.of(b));
      backend.upload(x, state.ids());
      backend.upload(y, state.targets());
      backend.upload(positions, new int[b]);
      Gradients gradients = new Gradients(model.parameters().tensors(), work);
      Tape tape = new Tape(backend, work, gradients, Tape.Recompute.NEVER, 0);
      Tensor logits = model.unembed(tape, model.hidden(tape, x, positions, null)); // (B, T, V)
      rows.add(logits(backend, logits, state).row("logits", bounds.logits(), bounds.relative()));
      Tensor losses = tape.crossEntropy(logits, y, IGNORE, (float) (1.0 / ((double) b * t)));
      tape.backward();
      double sum = 0;
      for (float loss : backend.floats(losses)) {
        sum += loss;
      }
      Difference loss = new Difference();
      loss.add((float) (sum / ((double) b * t)), state.loss());
      rows.add(loss.row("loss", bounds.loss(), bounds.relative()));
      gradients.completeWithZeros(backend);
      gradients(model, gradients, state)
          .forEach((name, d) -> rows.add(d.row(name, bounds.gradient(), bounds.relative())));
    }
    return rows;
  }

  private static Difference logits(Backend backend, Tensor logits, LlmcState state) {
    int tokens = state.batch() * state.length();
    int v = Math.toIntExact(logits.elements() / tokens);
    float[] found = backend.floats(logits);
    Difference out = new Difference();
    for (int token = 0; token < tokens; token++) {
      float[] expected = state.logits(token);
      for (int i = 0; i < v; i++) {
        out.add(found[token * v + i], expected[i]);
      }
    }
    return out;
  }

  private static Map<String, Difference> gradients(
      LanguageModel model, Gradients gradients, LlmcState state) {
    Map<String, Difference> out = new LinkedHashMap<>();
    for (Parameter p : model.parameters().all()) {
      float[] found = model.backend().floats(gradients.of(p.tensor()));
      float[] expected = state.gradient(p.name());
      Difference d =
          out.computeIfAbsent(
              "d " + p.name().replaceFirst("^h\\.\\d+\\.", "h.*."), n -> new Difference());
      for (int i = 0; i < found.length; i++) {
        d.add(found[i], expected[i]);
      }
    }
    return out;
  }

  /// Collects differences.
  private static final class Difference {
    private double largest;
    private double squares;
    private double expectedSquares;

    void add(float found, float expected) {
      double d = Math.abs((double) found - expected);
      largest = Math.max(largest, d); // NaN stays NaN
      squares += d * d;
      expectedSquares += (double) expected * expected;
    }

    Row row(String name, double mostLargest, double mostRelative) {
      double relative = squares == 0 ? 0 : Math.sqrt(squares / expectedSquares);
      // So written that NaN fails.
      return new Row(name, largest, relative, largest <= mostLargest && relative <= mostRelative);
    }
  }

  /// {@return the names of what is out of bounds, or null}
  static @Nullable String failures(List<Row> rows) {
    List<String> out = rows.stream().filter(r -> !r.passed()).map(Row::name).toList();
    return out.isEmpty() ? null : String.join(", ", out);
  }
}
