package org.quern.tck;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.quern.core.Activation;
import org.quern.core.DType;
import org.quern.core.Sink;

/// Collects cases, and refuses two of one name.
final class CaseList {
  /// Around the widths of vectors, tiles and warps, and none of them a multiple of all.
  static final int[] SIZES = {1, 3, 7, 13, 64, 127, 207, 771};

  static final Sink.Mode[] MODES = Sink.Mode.values();
  static final Activation[] ACTIVATIONS = Activation.values();

  /// How most cases are stored.
  static final List<DType> FLOATS = List.of(DType.F32);

  private final List<OpCase> all = new ArrayList<>();
  private final Set<String> names = new HashSet<>();

  List<OpCase> all() {
    return List.copyOf(all);
  }

  /// Adds a case on F32.
  void add(String op, String label, double flops, OpCase.Body body) {
    OpCase.Need need = OpCase.Need.REQUIRED;
    add(new OpCase(op, label, FLOATS, flops, need, OpCase.Precision.ROUNDED, body));
  }

  /// Adds a case whose results must be those of the reference to the bit.
  void addExact(String op, String label, OpCase.Body body, DType... storage) {
    OpCase.Need need = OpCase.Need.REQUIRED;
    add(new OpCase(op, label, narrow(storage), 0, need, OpCase.Precision.EXACT, body));
  }

  /// Adds a case that a backend may lack.
  void addOptional(String op, String label, double flops, OpCase.Body body, DType... storage) {
    OpCase.Need need = OpCase.Need.OPTIONAL;
    add(new OpCase(op, label, narrow(storage), flops, need, OpCase.Precision.ROUNDED, body));
  }

  /// {@return those storages as [Check#storage] names them}
  private static List<DType> narrow(DType... storage) {
    List<DType> out =
        Arrays.stream(storage).filter(d -> d != DType.F32).distinct().sorted().toList();
    return out.isEmpty() ? FLOATS : out;
  }

  void add(OpCase c) {
    if (!names.add(c.name())) {
      throw new IllegalArgumentException("two cases are named " + c.name());
    }
    all.add(c);
  }
}
