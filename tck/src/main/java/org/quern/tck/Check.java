package org.quern.tck;

import java.util.List;
import org.quern.core.Backend;
import org.quern.core.DType;

/// One thing that every backend is held to.
public interface Check {
  /// {@return what is checked}
  String name();

  /// {@return the first word of the name: the operation}
  ///
  /// @param name of a check
  static String group(String name) {
    int end = name.indexOf(' ');
    return end < 0 ? name : name.substring(0, end);
  }

  /// {@return how its inputs and outputs are stored: every real storage but F32 among them, in the
  /// order of [DType]; F32 where there is none; I32 where all are integers}
  default List<DType> storage() {
    return List.of(DType.F32);
  }

  /// {@return what came of it}
  ///
  /// @param backend which is held to it; its memory is as before, afterwards
  Outcome run(Backend backend);
}
