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

  /// {@return calls of the expensive operations at the sizes of GPT-2 small, for [Speed]; the
  /// reference would take minutes}
  public static List<OpCase> forSpeed() {
    CaseList list = new CaseList();
    SpeedCases.addTo(list);
    return list.all();
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
    StorageCases.addTo(list);
    AlignedCases.addTo(list);
    for (FlowFunction f : FlowFunctions.all()) {
      list.add(f.asCase());
    }
    return list.all();
  }
}
