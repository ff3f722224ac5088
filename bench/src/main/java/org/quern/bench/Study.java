package org.quern.bench;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.quern.core.DType;
import org.quern.core.Precision;

/// What a benchmark measures: its parameters with their usual values, in the order of the table's
/// columns, and which combinations make sense.
///
/// @param name of the command and of the files
/// @param title of the report
/// @param about what is measured, and how figures are counted
/// @param benchmark its public fields take the parameters
/// @param axes the parameters without the backend; the last varies fastest
/// @param filter which combinations are measured
public record Study(
    String name, String title, String about, Class<?> benchmark, List<Axis> axes, Filter filter) {
  /// What a parameter is in plots.
  public enum Role {
    /// It has plots of its own for each value.
    FACET,
    /// It is on the horizontal axis: numbers.
    X,
    /// It tells curves from each other.
    SERIES
  }

  /// A parameter.
  ///
  /// @param name of the benchmark's field
  /// @param role in plots
  /// @param usual its values when none are asked for
  /// @param choices all that it may have; empty for anything, on a horizontal axis any positive
  ///   number
  public record Axis(String name, Role role, List<String> usual, List<String> choices) {
    /// Copies the values.
    public Axis {
      usual = List.copyOf(usual);
      choices = List.copyOf(choices);
    }

    /// {@return this axis with the usual values and more to choose from, and no others}
    Axis or(String... more) {
      return new Axis(name, role, usual, Stream.concat(usual.stream(), Stream.of(more)).toList());
    }

    private void check(String value) {
      boolean fits =
          role == Role.X
              ? value.matches("[1-9][0-9]{0,8}")
              : choices.isEmpty() || choices.contains(value);
      if (!fits) {
        throw new IllegalArgumentException(
            "the parameter %s must be %s, found '%s'"
                .formatted(
                    name,
                    role == Role.X ? "a positive number" : "one of " + String.join(", ", choices),
                    value));
      }
    }
  }

  /// A combination of values, by parameter.
  ///
  /// @param values in the order of the axes, the backend first
  public record Point(Map<String, String> values) {
    /// {@return the value of a parameter}
    ///
    /// @param name of it
    public String get(String name) {
      return values.getOrDefault(name, "");
    }

    /// {@return the value of a parameter of a horizontal axis}
    ///
    /// @param name of it
    public int number(String name) {
      return Integer.parseInt(get(name));
    }

    @Override
    public String toString() {
      return values.entrySet().stream()
          .map(e -> e.getKey() + "=" + e.getValue())
          .collect(Collectors.joining(" "));
    }
  }

  /// Decides about combinations.
  @FunctionalInterface
  public interface Filter {
    /// {@return whether a combination is offered there and ends in reasonable time and memory}
    ///
    /// @param machine what the backend can do
    /// @param point the combination
    boolean measured(Machine machine, Point point);
  }

  /// Copies the axes.
  public Study {
    axes = List.copyOf(axes);
  }

  /// {@return whether there is a parameter of that name}
  ///
  /// @param name of it
  public boolean has(String name) {
    return axes.stream().anyMatch(a -> a.name().equals(name));
  }

  /// {@return the usual values, with some replaced}
  ///
  /// @param chosen values by parameter
  /// @throws IllegalArgumentException if there is no such parameter, or it cannot have that value,
  ///   naming those that there are
  Map<String, List<String>> values(Map<String, List<String>> chosen) {
    for (String name : chosen.keySet()) {
      if (!has(name)) {
        throw new IllegalArgumentException(
            "the benchmark '%s' has no parameter '%s'; it has %s"
                .formatted(
                    this.name,
                    name,
                    axes.stream().map(Axis::name).collect(Collectors.joining(", "))));
      }
    }
    Map<String, List<String>> out = new LinkedHashMap<>();
    for (Axis a : axes) {
      List<String> values = chosen.getOrDefault(a.name(), a.usual());
      values.forEach(a::check);
      out.put(a.name(), values);
    }
    return out;
  }

  static Axis facet(String name, String... usual) {
    return new Axis(name, Role.FACET, List.of(usual), List.of());
  }

  static Axis x(String name, String... usual) {
    return new Axis(name, Role.X, List.of(usual), List.of());
  }

  static Axis series(String name, String... usual) {
    return new Axis(name, Role.SERIES, List.of(usual), List.of());
  }

  /// {@return the storage of that name, such as `bf16`}
  static DType dtype(String name) {
    return DType.valueOf(name.toUpperCase(Locale.ROOT));
  }

  /// {@return the precision of that name, such as `q8`}
  static Precision precision(String name) {
    return Precision.valueOf(name.toUpperCase(Locale.ROOT));
  }

  /// {@return bytes of a prepared weight}
  static double bytes(Precision precision) {
    return switch (precision) {
      case F32 -> 4;
      case BF16, F16 -> 2;
      case Q8 -> 1 + 4.0 / 32; // a scale for each block of 32
    };
  }
}
