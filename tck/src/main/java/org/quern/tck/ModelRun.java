package org.quern.tck;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.quern.core.AdamWSpec;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Flow;
import org.quern.flow.Gradients;
import org.quern.flow.Tape;
import org.quern.gpt.Gpt;
import org.quern.gpt.GptConfig;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;

/// What a small GPT gives on a backend: logits, loss and gradients, or ten steps of training.
///
/// @param config of the model
/// @param source of its weights
/// @param recompute of blocks in the backward
record ModelRun(GptConfig config, ParameterSource source, Tape.Recompute recompute) {
  /// The target that does not count.
  static final int IGNORE = -1;

  private static final long DROPOUT_SEED = 4711;

  /// Tokens and what follows each.
  ///
  /// @param rows B
  /// @param ids B x S
  /// @param targets B x S, or [#IGNORE]
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Batch(int rows, int[] ids, int[] targets) {}

  /// How to train.
  ///
  /// @param rates the learning rate of each step
  /// @param optimizer the other numbers; its rate, step and gradient scale are not used
  /// @param clip the largest global norm of the gradient
  @SuppressWarnings("ArrayRecordComponent") // never compared
  record Plan(float[] rates, AdamWSpec optimizer, double clip) {}

  /// {@return `logits` at every position without dropout, the mean `loss`, and `gradient/<name>` of
  /// each parameter}
  Map<String, double[]> once(Backend backend, Batch batch) {
    Map<String, double[]> out = new LinkedHashMap<>();
    try (Gpt model = new Gpt(backend, config, source);
        Scope scope = backend.open("kit")) {
      Tokens tokens = Tokens.of(backend, scope, batch);
      Flow flow = new Flow(backend, scope);
      Tensor hidden = model.hidden(flow, tokens.ids(), tokens.positions(), null);
      out.put("logits", Host.read(backend, model.unembed(flow, hidden)));
      Gradients gradients = new Gradients(model.parameters().tensors(), scope);
      out.put("loss", new double[] {step(model, gradients, tokens, batch, 0)});
      putGradients(out, model, gradients);
    }
    return out;
  }

  /// {@return `losses` and gradient `norms` of each step, all final `weights` behind each other,
  /// and `gradient/<name>` of the first step}
  Map<String, double[]> train(Backend backend, List<Batch> batches, Plan plan) {
    Map<String, double[]> out = new LinkedHashMap<>();
    try (Gpt model = new Gpt(backend, config, source);
        Scope scope = backend.open("kit")) {
      Gradients gradients = new Gradients(model.parameters().tensors(), scope);
      Moments moments = Moments.zeros(model, scope);
      Tensor squares = scope.floats(1);
      double[] losses = new double[batches.size()];
      double[] norms = new double[batches.size()];
      for (int i = 0; i < batches.size(); i++) {
        try (Scope inner = backend.open("tokens")) {
          Tokens tokens = Tokens.of(backend, inner, batches.get(i));
          gradients.reset();
          losses[i] = step(model, gradients, tokens, batches.get(i), i);
        }
        if (i == 0) {
          putGradients(out, model, gradients);
        }
        norms[i] = norm(model, gradients, squares);
        float scale = (float) Math.min(1, plan.clip() / (norms[i] + 1e-6)); // as PyTorch clips
        update(model, gradients, moments, plan, i, scale);
      }
      out.put("losses", losses);
      out.put("norms", norms);
      out.put("weights", weights(model));
    }
    return out;
  }

  /// {@return the mean loss of the first step, dropout included, for the weights as they are}
  double loss(Gpt model, Batch batch) {
    Backend backend = model.backend();
    try (Scope scope = backend.open("kit")) {
      Gradients gradients = new Gradients(model.parameters().tensors(), scope);
      return step(model, gradients, Tokens.of(backend, scope, batch), batch, 0);
    }
  }

  /// Forward and backward.
  ///
  /// @return the mean loss
  private double step(Gpt model, Gradients gradients, Tokens tokens, Batch batch, int step) {
    Backend backend = model.backend();
    int count = (int) Arrays.stream(batch.targets()).filter(t -> t != IGNORE).count();
    try (Scope scope = backend.open("step")) {
      Tape tape = new Tape(backend, scope, gradients, recompute, DROPOUT_SEED + step);
      Tensor hidden = model.hidden(tape, tokens.ids(), tokens.positions(), null);
      Tensor logits = model.unembed(tape, hidden);
      Tensor losses = tape.crossEntropy(logits, tokens.targets(), IGNORE, 1f / count);
      double loss = Arrays.stream(Host.read(backend, losses)).sum() / count;
      tape.backward();
      gradients.completeWithZeros(backend);
      return loss;
    }
  }

  private static void putGradients(Map<String, double[]> out, Gpt model, Gradients gradients) {
    for (Parameter p : model.parameters().all()) {
      out.put("gradient/" + p.name(), Host.read(model.backend(), gradients.of(p.tensor())));
    }
  }

  private static double norm(Gpt model, Gradients gradients, Tensor squares) {
    double sum = 0;
    for (Tensor p : model.parameters().tensors()) {
      model.backend().ops().sumOfSquares(squares, gradients.of(p));
      sum += Host.read(model.backend(), squares)[0];
    }
    return Math.sqrt(sum);
  }

  private static void update(
      Gpt model, Gradients gradients, Moments moments, Plan plan, int step, float scale) {
    List<Parameter> all = model.parameters().all();
    AdamWSpec o = plan.optimizer();
    for (int i = 0; i < all.size(); i++) {
      Parameter p = all.get(i);
      AdamWSpec spec =
          new AdamWSpec(
              plan.rates()[step],
              o.beta1(),
              o.beta2(),
              o.epsilon(),
              p.decays() ? o.weightDecay() : 0,
              step + 1L,
              scale);
      Tensor g = gradients.of(p.tensor());
      model.backend().ops().adamW(p.tensor(), moments.m().get(i), moments.v().get(i), g, spec);
    }
  }

  private static double[] weights(Gpt model) {
    double[] all = new double[Math.toIntExact(model.parameters().count())];
    int at = 0;
    for (Tensor p : model.parameters().tensors()) {
      double[] values = Host.read(model.backend(), p);
      System.arraycopy(values, 0, all, at, values.length);
      at += values.length;
    }
    return all;
  }

  /// The optimizer's state, one a parameter.
  private record Moments(List<Tensor> m, List<Tensor> v) {
    static Moments zeros(Gpt model, Scope scope) {
      return new Moments(each(model, scope), each(model, scope));
    }

    private static List<Tensor> each(Gpt model, Scope scope) {
      return model.parameters().tensors().stream()
          .map(
              p -> {
                Tensor zero = scope.allocate(DType.F32, p.shape());
                model.backend().ops().fill(zero, 0);
                return zero;
              })
          .toList();
    }
  }

  /// A batch on the device.
  private record Tokens(Tensor ids, Tensor targets, Tensor positions) {
    static Tokens of(Backend backend, Scope scope, Batch batch) {
      Shape shape = Shape.of(batch.rows(), batch.ids().length / batch.rows());
      Tensor ids = scope.allocate(DType.I32, shape);
      Tensor targets = scope.allocate(DType.I32, shape);
      Tensor positions = scope.allocate(DType.I32, Shape.of(batch.rows()));
      backend.upload(ids, batch.ids());
      backend.upload(targets, batch.targets());
      backend.upload(positions, new int[batch.rows()]);
      return new Tokens(ids, targets, positions);
    }
  }
}
