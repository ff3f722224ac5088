package org.quern.tck;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Tensor;
import org.quern.flow.Tape;
import org.quern.tck.reference.ReferenceBackend;

/// Gradients by central differences in float64 on the reference.
///
/// With a step h the difference quotient `(L(x + h) - L(x - h)) / 2h` is off by `h^2 L'''/6` and,
/// by rounding, `2^-53 L / h`. At `h = 1e-5` and L of the order of 1..100 both are below 1e-8, so
/// that [#TOLERANCE] has two digits to spare where third derivatives are large; float32 would leave
/// none.
final class FiniteDifferences {
  /// How far a gradient may be from the quotient, relative to the larger of 1 and the quotient.
  static final double TOLERANCE = 1e-6;

  private static final double STEP = 1e-5;

  private FiniteDifferences() {}

  /// {@return the largest deviation of the tape's gradients, as a share of [#TOLERANCE]}
  ///
  /// @param function at normal inputs
  static double worst(FlowFunction function) {
    try (ReferenceBackend reference = new ReferenceBackend();
        Trial t = new Trial(reference, function.name())) {
      List<Tensor> inputs = new ArrayList<>();
      for (int i = 0; i < function.inputs().size(); i++) {
        inputs.add(t.scope().allocate(DType.F32, function.inputs().get(i)));
        reference.put(inputs.get(i), t.normals(FlowFunction.input(i), inputs.get(i).elements()));
      }
      double[] weights = t.normals("dy", function.output().elements());
      List<double[]> gradients = gradients(reference, t, function, inputs, weights);
      double worst = 0;
      for (int i = 0; i < inputs.size(); i++) {
        double[] quotients =
            quotients(reference, inputs.get(i), x -> loss(reference, t, function, inputs, weights));
        worst = Math.max(worst, deviation(gradients.get(i), quotients));
      }
      return worst / TOLERANCE;
    }
  }

  private static List<double[]> gradients(
      ReferenceBackend reference,
      Trial t,
      FlowFunction function,
      List<Tensor> inputs,
      double[] weights) {
    try (Scope step = reference.open("step")) {
      Tape tape = FlowFunction.tape(t, step);
      Tensor y = function.body().apply(tape, inputs, t);
      Tensor dy = step.allocate(DType.F32, y.shape());
      reference.put(dy, weights);
      tape.backward(y, dy);
      return inputs.stream().map(x -> reference.get(tape.gradient(x))).toList();
    }
  }

  /// {@return the result's inner product with the weights}
  private static double loss(
      ReferenceBackend reference,
      Trial t,
      FlowFunction function,
      List<Tensor> inputs,
      double[] weights) {
    try (Scope step = reference.open("step")) {
      double[] y = reference.get(function.body().apply(FlowFunction.tape(t, step), inputs, t));
      double sum = 0;
      for (int i = 0; i < y.length; i++) {
        sum += y[i] * weights[i];
      }
      return sum;
    }
  }

  /// {@return the quotient for each element of a tensor}
  static double[] quotients(ReferenceBackend reference, Tensor x, ToDoubleFunction<Tensor> loss) {
    double[] values = reference.get(x);
    double[] out = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      double[] direction = new double[values.length];
      direction[i] = 1;
      out[i] = along(reference, x, direction, loss);
    }
    return out;
  }

  /// {@return the quotient along a direction}
  static double along(
      ReferenceBackend reference, Tensor x, double[] direction, ToDoubleFunction<Tensor> loss) {
    double[] values = reference.get(x);
    double[] moved = Arrays.copyOf(values, values.length);
    for (int i = 0; i < moved.length; i++) {
      moved[i] = values[i] + STEP * direction[i];
    }
    reference.put(x, moved);
    double up = loss.applyAsDouble(x);
    for (int i = 0; i < moved.length; i++) {
      moved[i] = values[i] - STEP * direction[i];
    }
    reference.put(x, moved);
    double down = loss.applyAsDouble(x);
    reference.put(x, values);
    return (up - down) / (2 * STEP);
  }

  /// {@return the largest difference, relative to the larger of 1 and the quotient}
  static double deviation(double[] gradients, double[] quotients) {
    double worst = 0;
    for (int i = 0; i < quotients.length; i++) {
      double scale = Math.max(1, Math.abs(quotients[i]));
      double error = Tolerance.error(gradients[i], quotients[i]) / scale;
      worst = Math.max(worst, error);
    }
    return worst;
  }
}
