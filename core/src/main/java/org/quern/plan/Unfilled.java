package org.quern.plan;

import java.util.function.Supplier;
import org.quern.core.Backend;
import org.quern.core.Tensor;
import org.quern.gpt.Parameter;
import org.quern.gpt.ParameterSource;

/// Fills nothing: for models of which only the sizes matter.
final class Unfilled implements ParameterSource {
  @Override
  public void fill(Parameter parameter, Backend backend) {}

  @Override
  public void fix(Tensor target, Supplier<float[]> numbers, Backend backend) {}
}
