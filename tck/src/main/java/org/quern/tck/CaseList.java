package org.quern.tck;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.quern.core.Activation;
import org.quern.core.Sink;

/// Collects cases, and refuses two of one name.
final class CaseList {
  /// Around the widths of vectors, tiles and warps, and none of them a multiple of all.
  static final int[] SIZES = {1, 3, 7, 13, 64, 127, 207, 771};

  static final Sink.Mode[] MODES = Sink.Mode.values();
  static final Activation[] ACTIVATIONS = Activation.values();

  private final List<OpCase> all = new ArrayList<>();
  private final Set<String> names = new HashSet<>();

  List<OpCase> all() {
    return List.copyOf(all);
  }

  void add(String op, String label, double flops, OpCase.Body body) {
    add(new OpCase(op, label, flops, OpCase.Need.REQUIRED, OpCase.Precision.ROUNDED, body));
  }

  /// Adds a case whose results must be those of the reference to the bit.
  void addExact(String op, String label, OpCase.Body body) {
    add(new OpCase(op, label, 0, OpCase.Need.REQUIRED, OpCase.Precision.EXACT, body));
  }

  /// Adds a case that a backend may lack.
  void addOptional(String op, String label, double flops, OpCase.Body body) {
    add(new OpCase(op, label, flops, OpCase.Need.OPTIONAL, OpCase.Precision.ROUNDED, body));
  }

  void add(OpCase c) {
    if (!names.add(c.name())) {
      throw new IllegalArgumentException("two cases are named " + c.name());
    }
    all.add(c);
  }
}
