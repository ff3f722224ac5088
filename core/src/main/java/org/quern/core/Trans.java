package org.quern.core;

/// Whether a matrix enters a product as it is or transposed; BLAS's letters.
public enum Trans {
  /// As it is.
  N,
  /// Transposed.
  T
}
