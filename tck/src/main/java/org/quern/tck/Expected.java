package org.quern.tck;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.tck.reference.ReferenceBackend;
import org.quern.tck.reference.Rounding;

/// Results of the float64 reference, and how far a backend's may be from them. Computed once a name
/// and kept: they do not depend on the backend.
///
/// @param exact by name
/// @param tolerances by name
record Expected(Results exact, Map<String, Tolerance> tolerances) {
  private static final double TIGHT = 1e-9;
  private static final int RANDOM_RUNS = 3;
  private static final Map<String, Expected> CACHE = new ConcurrentHashMap<>();

  /// Results of one run.
  ///
  /// @param values by name
  /// @param storage by name; what is not named is F32
  record Results(Map<String, double[]> values, Map<String, DType> storage) {
    DType dtype(String name) {
      return storage.getOrDefault(name, DType.F32);
    }
  }

  /// {@return what a computation gives on the reference}
  ///
  /// @param name of the computation
  /// @param precision whether backends may round at all
  /// @param computation the same on every backend
  static Expected of(
      String name, OpCase.Precision precision, Function<Backend, Results> computation) {
    Expected known = CACHE.get(name);
    if (known != null) {
      return known;
    }
    Expected fresh = compute(on(Rounding.exact(), computation), precision, computation);
    CACHE.put(name, fresh);
    return fresh;
  }

  /// {@return what a computation should give, known from elsewhere; how far a backend may be off
  /// follows from how far the naive implementation is}
  ///
  /// @param name of the computation
  /// @param exact results by name, of F32 tensors
  /// @param computation the same on every backend
  static Expected known(
      String name, Map<String, double[]> exact, Function<Backend, Results> computation) {
    Expected known = CACHE.get(name);
    if (known != null) {
      return known;
    }
    Results results = new Results(exact, Map.of());
    Expected fresh = compute(results, OpCase.Precision.ROUNDED, computation);
    CACHE.put(name, fresh);
    return fresh;
  }

  /// {@return what a computation in float64 should give, known from elsewhere: `1e-9` of the
  /// largest element, but no less than `1e-9`, may be missing}
  ///
  /// @param exact results by name
  static Expected tight(Map<String, double[]> exact) {
    Map<String, Tolerance> tolerances = new LinkedHashMap<>();
    exact.forEach((k, x) -> tolerances.put(k, new Tolerance(TIGHT * Math.max(1, largest(x)))));
    return new Expected(new Results(exact, Map.of()), tolerances);
  }

  private static double largest(double[] x) {
    double largest = 0;
    for (double v : x) {
      largest = Math.max(largest, Math.abs(v));
    }
    return largest;
  }

  private static Expected compute(
      Results exact, OpCase.Precision precision, Function<Backend, Results> computation) {
    Map<String, Tolerance> tolerances = new LinkedHashMap<>();
    if (precision == OpCase.Precision.EXACT) {
      exact.values().keySet().forEach(k -> tolerances.put(k, new Tolerance(0)));
      return new Expected(exact, tolerances);
    }
    Results naive = on(Rounding.nearest(), computation);
    List<Results> random = new ArrayList<>();
    for (int k = 0; k < RANDOM_RUNS; k++) {
      random.add(on(Rounding.random(k), computation));
    }
    exact
        .values()
        .forEach(
            (k, x) ->
                tolerances.put(
                    k,
                    Tolerance.of(
                        x,
                        value(naive, k),
                        random.stream().map(r -> value(r, k)).toList(),
                        exact.dtype(k))));
    return new Expected(exact, tolerances);
  }

  private static double[] value(Results results, String name) {
    double[] v = results.values().get(name);
    if (v == null) {
      throw new IllegalStateException("the outputs of a case differ between runs: no " + name);
    }
    return v;
  }

  private static Results on(Rounding rounding, Function<Backend, Results> computation) {
    try (Backend reference = new ReferenceBackend(rounding)) {
      return computation.apply(reference);
    }
  }

  /// What a comparison found.
  ///
  /// @param worst the output that is nearest to what is allowed, or farthest beyond it
  /// @param problem the first output that is off, or null
  record Verdict(Comparison worst, @Nullable String problem) {}

  /// {@return how far results are from these}
  ///
  /// @param actual by name
  Verdict compare(Map<String, double[]> actual) {
    Comparison worst = Comparison.NONE;
    String problem = null;
    for (Map.Entry<String, double[]> e : exact.values().entrySet()) {
      double[] x = e.getValue();
      double[] a = actual.get(e.getKey());
      Tolerance tolerance = tolerances.get(e.getKey());
      double error =
          a == null || a.length != x.length ? Double.POSITIVE_INFINITY : Tolerance.error(a, x);
      double allowed = tolerance == null ? 0 : tolerance.bound();
      Comparison c = new Comparison(e.getKey(), exact.dtype(e.getKey()), error, allowed);
      if (a == null || a.length != x.length) {
        return new Verdict(c, "no output " + e.getKey());
      }
      if (c.ratio() > 1 && problem == null) {
        int i = Tolerance.worst(a, x);
        problem =
            "%s[%d of %d] = %s, expected %s: error %.3g, allowed %.3g"
                .formatted(e.getKey(), i, x.length, a[i], x[i], error, allowed);
      }
      worst = worst.worse(c);
    }
    return new Verdict(worst, problem);
  }
}
