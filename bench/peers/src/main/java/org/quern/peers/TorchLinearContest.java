package org.quern.peers;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.global.torch;
import org.quern.core.Activation;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// `y = x w^T` with weights in bf16, prepared once by us, beside PyTorch's `linear`, whose inputs
/// and results are in bf16 too: oneDNN computes it.
final class TorchLinearContest implements Contest {
  private final Backend backend;
  private final Precision precision;
  private final Terms terms;
  private final PointerScope pointers = new PointerScope();
  private final NoGradGuard noGradients = new NoGradGuard();
  private final Scope scope;
  private final Tensor x;
  private final Tensor w;
  private final Tensor y;
  private final org.bytedeco.pytorch.Tensor theirX;
  private final org.bytedeco.pytorch.Tensor theirW;

  /// @param backend ours
  /// @param match its `m`, `weights`, and `shape`, N x K
  TorchLinearContest(Backend backend, Match match) {
    this.backend = backend;
    precision = match.precision();
    int m = match.number("m");
    String[] shape = match.text("shape").split("x", 2);
    int n = Integer.parseInt(shape[0]);
    int k = Integer.parseInt(shape[1]);
    String name = Torch.open(match.threads()) + ", all in bf16";
    // Inputs, weights and results are each rounded to 2^-9 at most by one side or the other.
    terms = new Terms(name, Unit.GFLOPS, 2.0 * m * n * k, 0x1p-7);
    scope = backend.open("contest");
    float[] xs = Numbers.normal((long) m * k, 1);
    float[] ws = Numbers.normal((long) n * k, 2);
    x = scope.allocate(DType.F32, Shape.of(m, k));
    Tensor raw = scope.allocate(DType.F32, Shape.of(n, k));
    backend.upload(x, xs);
    backend.upload(raw, ws);
    w = backend.prepare(raw, scope);
    y = scope.allocate(DType.F32, Shape.of(m, n));
    theirX = Torch.of(xs, m, k).to(Torch.type(precision));
    theirW = Torch.of(ws, n, k).to(Torch.type(precision));
  }

  @Override
  public Terms terms() {
    return terms;
  }

  @Override
  public void quern() {
    backend.ops().linear(y, y, x, w, null, Activation.NONE);
    backend.sync();
  }

  @Override
  public void peer() {
    try (PointerScope calls = new PointerScope()) {
      torch.linear(theirX, theirW);
    }
  }

  @Override
  public double difference() {
    try (PointerScope calls = new PointerScope()) {
      quern();
      float[] theirs = Torch.floats(torch.linear(theirX, theirW));
      return Numbers.difference(precision, backend.floats(y), theirs);
    }
  }

  @Override
  public void close() {
    scope.close();
    noGradients.close();
    pointers.close();
  }
}
