package org.quern.cpu;

/// Arrays of a [Scratch] that are in use while a kernel, which numbers its own from 0, runs.
final class Slots {
  /// What a result is added to; whole blocks of random factors.
  static final int OLD = 10;

  /// The factors of dropout, which outlive the call of a kernel.
  static final int DROPOUT = 11;

  private Slots() {}
}
