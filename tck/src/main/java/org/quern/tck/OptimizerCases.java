package org.quern.tck;

import org.quern.core.AdamWSpec;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// The optimizer.
final class OptimizerCases {
  private OptimizerCases() {}

  static void addTo(CaseList list) {
    for (int n : CaseList.SIZES) {
      adamW(list, n, new AdamWSpec(1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 1, 1));
      adamW(list, n, new AdamWSpec(3e-2f, 0.9f, 0.999f, 1e-6f, 0, 1000, 0.25f));
      sum(list, n);
    }
    sum(list, 20_011);
  }

  private static void adamW(CaseList list, int n, AdamWSpec spec) {
    list.add(
        "adamW",
        "[%d] step %d".formatted(n, spec.step()),
        14.0 * n,
        t -> {
          Shape s = Shape.of(n);
          double[] second = t.normals("v", n);
          for (int i = 0; i < n; i++) {
            second[i] *= second[i];
          }
          Tensor w = t.inOut("w", s, t.normals("w", n));
          Tensor m = t.inOut("m", s, t.normals("m", n));
          Tensor v = t.inOut("v", s, second);
          Tensor g = t.normal("g", n);
          return () -> t.ops().adamW(w, m, v, g, spec);
        });
  }

  private static void sum(CaseList list, int n) {
    list.add(
        "sumOfSquares",
        "[" + n + "]",
        2.0 * n,
        t -> {
          Tensor x = t.normal("x", n);
          Tensor y = t.output("y", 1);
          return () -> t.ops().sumOfSquares(y, x);
        });
  }
}
