package org.quern.gpt;

import java.util.function.Supplier;
import org.quern.core.Backend;
import org.quern.core.Tensor;

/// Where the numbers of a model's parameters come from: random numbers, or a file.
public interface ParameterSource {
  /// Fills a parameter.
  ///
  /// @param parameter what to fill
  /// @param backend where it lives
  void fill(Parameter parameter, Backend backend);

  /// Fills a fixed table, which is no parameter.
  ///
  /// @param target what to fill
  /// @param numbers what to fill it with; not asked for where nothing is filled
  /// @param backend where it lives
  default void fix(Tensor target, Supplier<float[]> numbers, Backend backend) {
    backend.upload(target, numbers.get());
  }

  /// Waits until every parameter that [#fill] was called with is filled: a source may go on with
  /// one while the next is made. A model calls this behind the last one, and when it could not be
  /// made, before it gives the memory back. Calling it again is harmless.
  default void finish() {}

  /// {@return random numbers as each parameter's [Parameter.Init] says}
  ///
  /// @param seed the same seed gives the same numbers on every backend
  static ParameterSource random(long seed) {
    return (parameter, backend) -> {
      float[] values = new float[Math.toIntExact(parameter.tensor().elements())];
      Parameter.Init init = parameter.init();
      NormalNumbers.fill(values, init.mean(), init.deviation(), seed, parameter.name());
      backend.upload(parameter.tensor(), values);
    };
  }
}
