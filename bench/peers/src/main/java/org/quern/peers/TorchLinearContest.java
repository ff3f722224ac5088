package org.quern.peers;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.quern.core.Backend;
import org.quern.core.Precision;

/// `y = x w^T` with weights in bf16, prepared once by us, beside PyTorch's `linear`, whose inputs
/// and results are in bf16 too: oneDNN computes it.
final class TorchLinearContest implements Contest {
  private final QuernLinear ours;
  private final Precision precision;
  private final Terms terms;
  private final PointerScope pointers = new PointerScope();
  private final NoGradGuard noGradients = new NoGradGuard();
  private final Tensor theirX;
  private final Tensor theirW;

  /// @param backend ours
  /// @param match its `m`, `weights`, and `shape`, N x K
  TorchLinearContest(Backend backend, Match match) {
    precision = match.precision();
    ours = new QuernLinear(backend, match);
    String name = Torch.open(match.threads()) + ", all in bf16";
    // Inputs, weights and results are each rounded to 2^-9 at most by one side or the other.
    terms = new Terms(name, Unit.GFLOPS, ours.work(), 0x1p-7);
    theirX = Torch.of(ours.inputs, ours.m, ours.k).to(Torch.type(precision));
    theirW = Torch.of(ours.weights, ours.n, ours.k).to(Torch.type(precision));
  }

  @Override
  public Terms terms() {
    return terms;
  }

  @Override
  public void quern() {
    ours.run();
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
      return Numbers.difference(precision, ours.result(), theirs);
    }
  }

  @Override
  public void close() {
    ours.close();
    noGradients.close();
    pointers.close();
  }
}
