package org.quern.gpt;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.core.Backend;
import org.quern.core.Scope;
import org.quern.core.Tensor;
import org.quern.flow.Flow;

/// The bigram model: the next token depends on the last one only, through a table of logits. The
/// baseline that every GPT must beat.
public final class Bigram implements LanguageModel {
  private final Backend backend;
  private final int vocabulary;
  private final int context;
  private final Scope scope;
  private final Parameters parameters;
  private final Tensor table; // (V, V)

  /// Makes a model.
  ///
  /// @param backend where it lives; closing the model leaves it open
  /// @param vocabulary V
  /// @param context the tokens of a training example; the model itself sees one
  /// @param source of its parameters
  public Bigram(Backend backend, int vocabulary, int context, ParameterSource source) {
    this.backend = backend;
    this.vocabulary = vocabulary;
    this.context = context;
    this.scope = backend.open("model");
    try {
      parameters = new Parameters(backend, scope, source);
      table = parameters.matrix("table.weight", Parameters.DEVIATION, vocabulary, vocabulary);
      parameters.finish();
    } catch (Throwable e) {
      Parameters.abandon(source, e);
      scope.close();
      throw e;
    }
  }

  @Override
  public Tensor hidden(Flow f, Tensor ids, Tensor positions, @Nullable KvCache cache) {
    return f.embed(ids, table, null, positions, Flow.Learned.NO); // (B, S, V)
  }

  @Override
  public Tensor unembed(Flow f, Tensor hidden) {
    return hidden;
  }

  @Override
  public KvCache newCache(Scope owner, int batch, int capacity) {
    return new KvCache(List.of(), batch, capacity);
  }

  @Override
  public Backend backend() {
    return backend;
  }

  @Override
  public int vocabulary() {
    return vocabulary;
  }

  @Override
  public int context() {
    return context;
  }

  @Override
  public Parameters parameters() {
    return parameters;
  }

  @Override
  public List<Tensor> linearWeights() {
    return List.of();
  }

  @Override
  public void close() {
    scope.close();
  }
}
