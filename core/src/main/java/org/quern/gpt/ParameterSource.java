package org.quern.gpt;

import org.quern.core.Backend;

/// Where the numbers of a model's parameters come from: random numbers, or a file.
public interface ParameterSource {
  /// Fills a parameter.
  ///
  /// @param parameter what to fill
  /// @param backend where it lives
  void fill(Parameter parameter, Backend backend);

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
