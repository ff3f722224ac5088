package org.quern.cpu;

import java.util.List;
import org.jspecify.annotations.Nullable;
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

  private static final @Nullable String SKIPPED = skipped();

  /// Why this run has nothing to do, or null; told on the console, which lists no reasons.
  private static @Nullable String skipped() {
    int bits = CpuProvider.choice().bits();
    int widest = VectorOps.widest();
    if (bits < widest) {
      return null;
    }
    String why =
        bits > widest
            ? "SKIPPED: no vectors of %d bits: this processor's have %d".formatted(bits, widest)
            : "SKIPPED: vectors of %d bits are this processor's; other runs have them"
                .formatted(bits);
    System.getLogger(Tier.class.getName()).log(System.Logger.Level.WARNING, why);
    return why;
  }

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    return SKIPPED != null
        ? ConditionEvaluationResult.disabled(SKIPPED)
        : ConditionEvaluationResult.enabled("can run here");
  }
}
