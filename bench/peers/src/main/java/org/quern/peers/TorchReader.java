package org.quern.peers;

import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.quern.core.Precision;
import org.quern.gpt.Gpt;

/// GPT-2 in PyTorch, read without gradients.
final class TorchReader implements PeerGpt {
  private final String name;
  private final PointerScope pointers = new PointerScope();
  private final NoGradGuard noGradients = new NoGradGuard();
  private final TorchGpt gpt;
  private final List<TorchGpt.Cache> cache;

  /// @param gpt ours
  /// @param capacity tokens of the cache
  /// @param threads to use
  /// @param precision of parameters, activations and cache
  TorchReader(Gpt gpt, int capacity, int threads, Precision precision) {
    name = Torch.open(threads) + (precision == Precision.F32 ? "" : ", all in bf16");
    this.gpt = new TorchGpt(gpt, Torch.type(precision));
    cache = this.gpt.newCache(capacity);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public float[] read(int[] ids, int start) {
    try (PointerScope calls = new PointerScope()) {
      Tensor x = gpt.hidden(Torch.ids(ids, 1, ids.length), start, cache);
      return Torch.floats(gpt.unembed(x.narrow(1, ids.length - 1, 1)));
    }
  }

  @Override
  public void close() {
    noGradients.close();
    pointers.close();
  }
}
