package org.quern.tck;

import java.util.List;

/// The list of operator cases: every operation, awkward sizes, set and add.
public final class OpCases {
  private static final List<OpCase> ALL = make();

  private OpCases() {}

  /// {@return all cases, small enough to take seconds together}
  public static List<OpCase> all() {
    return ALL;
  }

  private static List<OpCase> make() {
    CaseList list = new CaseList();
    ElementwiseCases.addTo(list);
    MatmulCases.addTo(list);
    NormCases.addTo(list);
    HeadCases.addTo(list);
    SoftmaxCases.addTo(list);
    AttentionCases.addTo(list);
    EmbeddingCases.addTo(list);
    OptimizerCases.addTo(list);
    for (FlowFunction f : FlowFunctions.all()) {
      list.add(f.asCase());
    }
    return list.all();
  }
}
