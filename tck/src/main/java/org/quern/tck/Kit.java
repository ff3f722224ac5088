package org.quern.tck;

import java.util.ArrayList;
import java.util.List;
import org.quern.core.Backend;

/// The compatibility kit as a program calls it; [BackendCompatibility] is the same for JUnit.
public final class Kit {
  private static final List<Check> CHECKS = make();

  private Kit() {}

  private static List<Check> make() {
    List<Check> all = new ArrayList<>(OpCases.all());
    all.addAll(ModelCheck.all());
    return List.copyOf(all);
  }

  /// {@return all that a backend is held to}
  public static List<Check> checks() {
    return CHECKS;
  }

  /// {@return what all checks found on a backend}
  ///
  /// @param backend which is held to them; nobody else may use it meanwhile
  public static Report run(Backend backend) {
    List<Outcome> outcomes = new ArrayList<>();
    for (Check c : CHECKS) {
      outcomes.add(run(backend, c));
    }
    return new Report(backend, outcomes);
  }

  /// {@return what a check found; an exception is a failure}
  ///
  /// @param backend which is held to it
  /// @param check one of [#checks]
  public static Outcome run(Backend backend, Check check) {
    try {
      return check.run(backend);
    } catch (RuntimeException e) {
      return Outcome.failed(check, Comparison.NONE, e.toString());
    }
  }
}
