package org.quern.gpt;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Scope;
import org.quern.core.Tensor;
import org.quern.flow.Flow;

/// Gives each token of a text the logits of the token behind it. Once made its structure never
/// changes, and threads may share it; training changes its parameters.
public interface LanguageModel extends AutoCloseable {
  /// {@return where it lives}
  Backend backend();

  /// {@return V, the number of tokens}
  int vocabulary();

  /// {@return the most tokens that it sees at once}
  int context();

  /// {@return what training changes}
  Parameters parameters();

  /// {@return the weights that enter [Flow#linear], worth preparing for inference}
  List<Tensor> linearWeights();

  /// {@return the last hidden state of each token, (B, S, C)}
  ///
  /// @param f the flow
  /// @param ids (B, S), I32
  /// @param positions (B), I32, where the tokens start
  /// @param cache of earlier tokens, which takes the new ones; or null
  Tensor hidden(Flow f, Tensor ids, Tensor positions, @Nullable KvCache cache);

  /// {@return logits, (..., V)}
  ///
  /// @param f the flow
  /// @param hidden (..., C)
  Tensor unembed(Flow f, Tensor hidden);

  /// {@return an empty cache}
  ///
  /// @param scope owns it
  /// @param batch how many texts
  /// @param capacity how many tokens of each
  KvCache newCache(Scope scope, int batch, int capacity);

  /// Frees the parameters. Closing twice is harmless.
  @Override
  void close();
}
