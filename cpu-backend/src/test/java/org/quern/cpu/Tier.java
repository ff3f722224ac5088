package org.quern.cpu;

import java.util.List;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/// The kernels that a run of the tests is about: without `quern.cpu.kernels` the scalar ones and
/// the Vector API at the processor's width, with it what it says. As a condition it skips, and says
/// why, what cannot run here or has run already.
final class Tier implements ExecutionCondition {
  /// {@return the choices to test}
  static List<CpuProvider.Choice> choices() {
    CpuProvider.Choice choice = CpuProvider.choice();
    return choice == CpuProvider.Choice.AUTO
        ? List.of(CpuProvider.Choice.SCALAR, CpuProvider.Choice.VECTOR)
        : List.of(choice);
  }

  /// {@return the vector kernels of this run}
  static CpuProvider.Choice vector() {
    return choices().getLast();
  }

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    int bits = CpuProvider.choice().bits();
    int widest = VectorOps.widest();
    if (bits > widest) {
      return ConditionEvaluationResult.disabled(
          "not run with vectors of %d bits: this processor's have %d".formatted(bits, widest));
    }
    return bits == widest
        ? ConditionEvaluationResult.disabled(
            "vectors of %d bits are this processor's, which other runs use".formatted(bits))
        : ConditionEvaluationResult.enabled("can run here");
  }
}
