package org.quern.tck;

import org.quern.core.Backend;

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

  /// {@return what came of it}
  ///
  /// @param backend which is held to it; its memory is as before, afterwards
  Outcome run(Backend backend);
}
