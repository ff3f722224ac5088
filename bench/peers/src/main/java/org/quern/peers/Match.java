package org.quern.peers;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.quern.core.Precision;

/// What is measured beside what.
///
/// @param benchmark `attention`, `matmul`, `prefill`, `decode` or `train`
/// @param peer `pytorch`, `onnxruntime`, `mkl` or `openblas`
/// @param threads of both sides
/// @param params the sizes
record Match(String benchmark, String peer, int threads, Map<String, String> params) {
  Match {
    params = Map.copyOf(new TreeMap<>(params));
  }

  /// {@return a size}
  ///
  /// @param name of it
  int number(String name) {
    return Integer.parseInt(text(name));
  }

  /// {@return a parameter}
  ///
  /// @param name of it
  String text(String name) {
    String value = params.get(name);
    if (value == null) {
      throw new IllegalArgumentException(benchmark + " needs the parameter " + name);
    }
    return value;
  }

  /// {@return how weights are held on both sides}
  Precision precision() {
    String name = params.getOrDefault("precision", params.getOrDefault("weights", "f32"));
    return Precision.valueOf(name.toUpperCase(Locale.ROOT));
  }

  /// {@return this as arguments of a process, which [#parse] reads}
  List<String> arguments() {
    List<String> out = new ArrayList<>(List.of(benchmark, peer, Integer.toString(threads)));
    new TreeMap<>(params).forEach((name, value) -> out.add(name + "=" + value));
    return out;
  }

  /// {@return what [#arguments] made}
  ///
  /// @param arguments of the process
  static Match parse(List<String> arguments) {
    Map<String, String> params = new TreeMap<>();
    for (String a : arguments.subList(3, arguments.size())) {
      int at = a.indexOf('=');
      params.put(a.substring(0, at), a.substring(at + 1));
    }
    return new Match(
        arguments.get(0), arguments.get(1), Integer.parseInt(arguments.get(2)), params);
  }

  /// {@return the sizes, as a person reads them}
  String sizes() {
    StringBuilder out = new StringBuilder();
    new TreeMap<>(params)
        .forEach((name, value) -> out.append(name).append('=').append(value).append(' '));
    return out.toString().strip();
  }

  @Override
  public String toString() {
    return "%s %s beside %s".formatted(benchmark, sizes(), peer);
  }
}
