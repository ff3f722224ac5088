package org.quern.tck;

import java.util.ArrayList;
import java.util.List;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.flow.Flow;
import org.quern.flow.Tape;

/// A differentiable function of tensors, written against [Flow]: its gradients are compared with
/// finite differences on the reference ([FiniteDifferences]), and those of a backend with the
/// reference's (as an [OpCase]).
///
/// @param name what it is, the operation of [Flow] first
/// @param inputs the shapes of what it is differentiated by
/// @param output the shape of its result
/// @param body the function
record FlowFunction(String name, List<Shape> inputs, Shape output, Body body) {
  private static final long DROPOUT_SEED = 77;

  /// A function of tensors.
  @FunctionalInterface
  interface Body {
    /// {@return the result}
    ///
    /// @param f the flow
    /// @param x the inputs
    /// @param t makes constants, such as ids
    Tensor apply(Flow f, List<Tensor> x, Trial t);
  }

  /// {@return a tape on which this function may run}
  static Tape tape(Trial t, Scope step) {
    return new Tape(t.backend(), step, null, Tape.Recompute.NEVER, DROPOUT_SEED);
  }

  static String input(int i) {
    return "x" + i;
  }

  /// {@return the case that gives the result and the gradients of all inputs}
  OpCase asCase() {
    return new OpCase(
        "Flow." + Check.group(name),
        name,
        CaseList.FLOATS,
        0,
        OpCase.Need.REQUIRED,
        OpCase.Precision.ROUNDED,
        t -> {
          List<Tensor> x = new ArrayList<>();
          List<Sink> dx = new ArrayList<>();
          for (int i = 0; i < inputs.size(); i++) {
            long[] dims = inputs.get(i).toArray();
            x.add(t.normal(input(i), dims));
            dx.add(t.sink("d" + input(i), Sink.Mode.SET, dims));
          }
          Tensor y = t.output("y", output.toArray());
          Tensor dy = t.normal("dy", output.toArray());
          return () -> {
            try (Scope step = t.backend().open("step")) {
              Tape tape = tape(t, step);
              Tensor result = body.apply(tape, x, t);
              t.ops().copy(y, result);
              tape.backward(result, dy);
              for (int i = 0; i < x.size(); i++) {
                t.ops().copy(dx.get(i).tensor(), tape.gradient(x.get(i)));
              }
            }
          };
        });
  }
}
