package org.quern.tck;

import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.quern.core.Availability;
import org.quern.core.Backend;

/// The kit as JUnit tests: a backend's tests extend this and say how to open it.
///
/// ```java
/// class CpuCompatibilityTest extends BackendCompatibility {
///   @Override
///   protected Backend open() {
///     return new CpuProvider().open(0, Settings.load());
///   }
/// }
/// ```
///
/// Where the device is missing the tests are skipped, with the probe's reason; where the
/// environment says `CI=true` they fail.
public abstract class BackendCompatibility {
  private @Nullable Backend backend;

  /// For subclasses.
  protected BackendCompatibility() {}

  /// {@return the backend, opened; these tests close it}
  protected abstract Backend open();

  /// {@return what the probe said when the device is missing, else null}
  protected Availability.@Nullable Missing missing() {
    return null;
  }

  /// {@return one container an operation, one test a case}
  @TestFactory
  List<DynamicNode> compatibility() {
    Availability.Missing missing = missing();
    if (missing != null) {
      absent(missing, System.getenv("CI"));
    }
    Backend opened = open();
    backend = opened;
    Map<String, List<DynamicTest>> groups = new LinkedHashMap<>();
    for (Check c : Kit.checks()) {
      groups
          .computeIfAbsent(Check.group(c.name()), k -> new ArrayList<>())
          .add(DynamicTest.dynamicTest(c.name(), () -> hold(opened, c)));
    }
    List<DynamicNode> out = new ArrayList<>();
    groups.forEach((op, tests) -> out.add(DynamicContainer.dynamicContainer(op, tests)));
    return out;
  }

  /// Skips a test, or fails it where `CI` is true.
  ///
  /// @param missing what the probe said
  /// @param ci the environment's `CI`, or null
  public static void absent(Availability.Missing missing, @Nullable String ci) {
    String text = missing.reason() + ". " + missing.remedy();
    if ("true".equals(ci)) {
      fail("CI=true, and the device is missing: " + text);
    }
    Assumptions.abort("the device is missing: " + text);
  }

  private static void hold(Backend backend, Check check) {
    Outcome outcome;
    try {
      outcome = check.run(backend);
    } catch (RuntimeException e) {
      throw new AssertionError(check.name() + ": " + e, e);
    }
    switch (outcome.status()) {
      case PASSED -> {}
      case FAILED -> fail(check.name() + ": " + outcome.message());
      case UNSUPPORTED -> Assumptions.abort(check.name() + ": " + outcome.message());
    }
  }

  /// Closes the backend, after looking for memory that nobody gave back.
  @AfterEach
  void closeBackend() {
    Backend b = backend;
    if (b != null) {
      backend = null;
      try {
        Leaks.assertNone(b);
      } finally {
        b.close();
      }
    }
  }
}
