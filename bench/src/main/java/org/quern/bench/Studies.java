package org.quern.bench;

import java.util.List;
import java.util.stream.Collectors;

/// All studies, by name.
public final class Studies {
  /// All that there are.
  public static final List<Study> ALL =
      List.of(
          AttentionBenchmark.STUDY,
          SoftmaxBenchmark.STUDY,
          MatmulBenchmark.STUDY,
          DecodeBenchmark.STUDY,
          PrefillBenchmark.STUDY,
          TrainStepBenchmark.STUDY,
          StartupBenchmark.STUDY);

  private Studies() {}

  /// {@return the study of that name}
  ///
  /// @param name as in the command
  /// @throws IllegalArgumentException if there is none, naming all
  public static Study named(String name) {
    return ALL.stream()
        .filter(s -> s.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "no benchmark is named '%s'; there are %s".formatted(name, names())));
  }

  /// {@return the names of all, for people}
  public static String names() {
    return ALL.stream().map(Study::name).collect(Collectors.joining(", "));
  }
}
