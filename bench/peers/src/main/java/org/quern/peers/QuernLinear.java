package org.quern.peers;

import org.quern.core.Activation;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// Our side of `y = x w^T`, (m, n) from (m, k) and (n, k), with weights prepared once; and the
/// numbers that both sides take.
final class QuernLinear implements AutoCloseable {
  final int m;
  final int n;
  final int k;

  /// x, row by row.
  final float[] inputs;

  /// w, row by row.
  final float[] weights;

  private final Backend backend;
  private final Scope scope;
  private final Tensor x;
  private final Tensor w;
  private final Tensor y;

  /// @param backend where
  /// @param match its `m`, and `shape`, N x K
  QuernLinear(Backend backend, Match match) {
    this.backend = backend;
    m = match.number("m");
    String[] shape = match.text("shape").split("x", 2);
    n = Integer.parseInt(shape[0]);
    k = Integer.parseInt(shape[1]);
    inputs = Numbers.normal((long) m * k, 1);
    weights = Numbers.normal((long) n * k, 2);
    scope = backend.open("contest");
    x = scope.allocate(DType.F32, Shape.of(m, k));
    Tensor raw = scope.allocate(DType.F32, Shape.of(n, k));
    backend.upload(x, inputs);
    backend.upload(raw, weights);
    w = backend.prepare(raw, scope);
    y = scope.allocate(DType.F32, Shape.of(m, n));
  }

  /// {@return the operations of a call}
  double work() {
    return 2.0 * m * n * k;
  }

  void run() {
    backend.ops().linear(y, y, x, w, null, Activation.NONE);
    backend.sync();
  }

  /// {@return y of the last [#run]}
  float[] result() {
    return backend.floats(y);
  }

  @Override
  public void close() {
    scope.close();
  }
}
