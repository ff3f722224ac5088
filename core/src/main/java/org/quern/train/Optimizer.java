package org.quern.train;

import java.util.ArrayList;
import java.util.List;
import org.quern.core.AdamWSpec;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Gradients;
import org.quern.gpt.Parameter;

/// AdamW over all parameters of a model, with clipping by the global norm (arXiv:1211.5063).
final class Optimizer {
  private final Backend backend;
  private final List<Parameter> parameters;
  private final List<Moments> moments = new ArrayList<>();
  private final Tensor squares; // (parameters)

  /// Both moments of one parameter.
  record Moments(Parameter parameter, Tensor first, Tensor second) {}

  Optimizer(Backend backend, List<Parameter> parameters, Scope owner) {
    this.backend = backend;
    this.parameters = parameters;
    for (Parameter p : parameters) {
      Tensor first = owner.allocate(DType.F32, p.tensor().shape());
      Tensor second = owner.allocate(DType.F32, p.tensor().shape());
      backend.ops().fill(first, 0);
      backend.ops().fill(second, 0);
      moments.add(new Moments(p, first, second));
    }
    squares = owner.allocate(DType.F32, Shape.of(parameters.size(), 1));
  }

  List<Moments> moments() {
    return moments;
  }

  /// {@return the global norm of the gradient}
  double norm(Gradients gradients) {
    for (int i = 0; i < parameters.size(); i++) {
      backend.ops().sumOfSquares(squares.slice(i), gradients.of(parameters.get(i).tensor()));
    }
    double sum = 0;
    for (float s : backend.floats(squares)) {
      sum += s;
    }
    return Math.sqrt(sum);
  }

  /// Moves all parameters one step.
  ///
  /// @param step from 0
  /// @param gradScale the factor on gradients
  void step(Gradients gradients, TrainingConfig config, long step, float gradScale) {
    for (Moments m : moments) {
      float decay = m.parameter().decays() ? config.weightDecay() : 0;
      AdamWSpec spec =
          new AdamWSpec(
              config.rate(step),
              config.beta1(),
              config.beta2(),
              config.epsilon(),
              decay,
              step + 1,
              gradScale);
      Tensor w = m.parameter().tensor();
      backend.ops().adamW(w, m.first(), m.second(), gradients.of(w), spec);
    }
  }
}
