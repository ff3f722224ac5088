package org.quern.tck;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// Central differences in float64 against the tape.
class GradientTest {
  static List<FlowFunction> functions() {
    return FlowFunctions.all();
  }

  @ParameterizedTest
  @MethodSource("functions")
  void everyFlowOperationHasTheGradientOfItsFiniteDifferences(FlowFunction f) {
    double worst = FiniteDifferences.worst(f);
    assertTrue(worst < 1, () -> f.name() + ": " + worst + " of what is allowed");
  }

  /// A copy has no gradient, so that the function has half of what it should.
  @Test
  void aMissingTermIsFound() {
    Shape shape = Shape.of(3);
    FlowFunction wrong =
        new FlowFunction(
            "wrong",
            List.of(shape),
            shape,
            (f, x, t) -> {
              Tensor copy = f.scope().allocate(DType.F32, shape);
              t.ops().copy(copy, x.get(0));
              return f.add(x.get(0), copy);
            });
    assertTrue(FiniteDifferences.worst(wrong) > 1000);
  }
}
