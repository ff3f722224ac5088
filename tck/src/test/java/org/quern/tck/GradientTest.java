package org.quern.tck;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

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
}
