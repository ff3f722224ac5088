package org.quern.generate;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Flow;
import org.quern.flow.PreparedWeights;
import org.quern.gpt.Gpt;
import org.quern.gpt.LanguageModel;

/// A language model made ready for inference: its weights are prepared once in the backend's own
/// layout, and must not change any more. Immutable and shared by threads, each with a [Session] of
/// its own; N threads with N sessions get exactly what each would get alone.
///
/// Closing waits for the steps that sessions are in, then frees the sessions' memory too: their
/// next step is an `IllegalStateException`. Closing them is fine before and after.
public final class InferenceModel implements AutoCloseable {
  /// The most logits that are on the device at once in [#everyPosition].
  private static final int LOGITS_AT_ONCE = 1 << 22;

  private final LanguageModel model;
  private final Ownership ownership;
  private final Scope scope;
  private final PreparedWeights prepared;
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private final Set<Session> sessions = ConcurrentHashMap.newKeySet();
  private boolean closed;

  private enum Ownership {
    BORROWED,
    OWNED
  }

  private InferenceModel(LanguageModel model, Ownership ownership) {
    this.model = model;
    this.ownership = ownership;
    this.scope = model.backend().open("prepared weights");
    try {
      prepared = PreparedWeights.of(model.linearWeights(), model.backend(), scope);
    } catch (Throwable e) {
      scope.close();
      throw e;
    }
  }

  /// {@return the model made ready; closing the result leaves the model open}
  ///
  /// @param model what to run; its parameters must not change while the result is open
  public static InferenceModel of(LanguageModel model) {
    return new InferenceModel(model, Ownership.BORROWED);
  }

  /// {@return the model made ready; closing the result closes the model}
  ///
  /// @param model what to run
  public static InferenceModel owning(LanguageModel model) {
    return new InferenceModel(model, Ownership.OWNED);
  }

  /// Takes each position's logits in turn.
  @FunctionalInterface
  public interface PositionConsumer {
    /// Takes the logits of the token behind a position.
    ///
    /// @param position from 0
    /// @param logits (V); reused for the next position, so copy what should stay
    void accept(int position, float[] logits);
  }

  /// {@return V, the number of tokens}
  public int vocabulary() {
    return model.vocabulary();
  }

  /// {@return the most tokens that the model sees at once}
  public int context() {
    return model.context();
  }

  /// {@return where the model lives}
  public Backend backend() {
    return model.backend();
  }

  /// {@return what is run}
  public LanguageModel model() {
    return model;
  }

  /// {@return a session over texts of up to the model's context, to be closed by the caller}
  ///
  /// @param batch B, how many texts at once
  /// @throws IllegalArgumentException if the batch is not positive
  /// @throws IllegalStateException if this model is closed
  public Session open(int batch) {
    return open(batch, context());
  }

  /// {@return a session, to be closed by the caller}
  ///
  /// @param batch B, how many texts at once
  /// @param capacity how many tokens of each to have room for, at most the model's context
  /// @throws IllegalArgumentException if a number is out of range
  /// @throws IllegalStateException if this model is closed
  public Session open(int batch, int capacity) {
    return whileOpen(
        () -> {
          Session session = new Session(this, batch, capacity);
          sessions.add(session);
          return session;
        });
  }

  /// Frees a session, unless closing this model has done so.
  void close(Session session) {
    lock.readLock().lock();
    try {
      if (sessions.remove(session)) {
        session.free();
      }
    } finally {
      lock.readLock().unlock();
    }
  }

  /// {@return the logits of the token behind each token of a text, (S, V)}
  ///
  /// @param ids (S), from 1 to the context many
  /// @throws IllegalArgumentException if there are none or too many, or one is unknown
  /// @throws IllegalStateException if this model is closed
  public float[][] everyPosition(int... ids) {
    float[][] out = new float[ids.length][];
    everyPosition(ids, (position, logits) -> out[position] = logits.clone());
    return out;
  }

  /// Gives the logits of the token behind each token of a text, first to last. The text runs
  /// through the model once; at most some 16 MiB of logits exist at a time.
  ///
  /// @param ids (S), from 1 to the context many
  /// @param consumer takes each position's logits
  /// @throws IllegalArgumentException if there are no ids or too many, or one is unknown
  /// @throws IllegalStateException if this model is closed
  public void everyPosition(int[] ids, PositionConsumer consumer) {
    Prompts.check(ids, 0, context(), context(), vocabulary());
    whileOpen(
        () -> {
          try (Scope step = backend().open("every position")) {
            runEveryPosition(flow(step), ids, consumer);
          }
          return ids;
        });
  }

  private void runEveryPosition(Flow f, int[] ids, PositionConsumer consumer) {
    Tensor tokens = f.scope().allocate(DType.I32, Shape.of(1, ids.length));
    Tensor positions = f.scope().allocate(DType.I32, Shape.of(1));
    backend().upload(tokens, ids);
    backend().upload(positions, 0);
    Tensor hidden = model.hidden(f, tokens, positions, null); // (1, S, C)
    Tensor rows = hidden.view(Shape.of(ids.length, hidden.shape().last())); // (S, C)
    int chunk = Math.max(1, LOGITS_AT_ONCE / vocabulary());
    float[] row = new float[vocabulary()];
    for (int from = 0; from < ids.length; from += chunk) {
      int to = Math.min(ids.length, from + chunk);
      float[] logits;
      try (Scope part = backend().open("logits")) {
        logits = backend().floats(model.unembed(flow(part), rows.slice(from, to)));
      }
      for (int p = from; p < to; p++) {
        System.arraycopy(logits, (p - from) * row.length, row, 0, row.length);
        consumer.accept(p, row);
      }
    }
  }

  /// {@return what the model computes inside for a text: attention, and the prediction of each
  /// layer}
  ///
  /// @param ids (T), from 1 to the context many
  /// @throws IllegalArgumentException if there are no ids or too many, or one is unknown, or the
  ///   model is no GPT
  /// @throws IllegalStateException if this model is closed
  public Inspection inspect(int... ids) {
    Prompts.check(ids, 0, context(), context(), vocabulary());
    if (!(model instanceof Gpt gpt)) {
      throw new IllegalArgumentException(
          "this model has no attention to inspect: choose a GPT, not a bigram");
    }
    return whileOpen(() -> Inspection.of(gpt, prepared, ids));
  }

  /// {@return a flow over the prepared weights}
  ///
  /// @param step owns what is computed
  Flow flow(Scope step) {
    return new Flow(backend(), step, prepared);
  }

  /// {@return the result of work during which this model does not close}
  ///
  /// @param work what to do
  /// @throws IllegalStateException if this model is closed
  <T> T whileOpen(Supplier<T> work) {
    lock.readLock().lock();
    try {
      if (closed) {
        throw new IllegalStateException(
            "model (vocabulary %d, context %d) is closed: load it again, or close it later"
                .formatted(vocabulary(), context()));
      }
      return work.get();
    } finally {
      lock.readLock().unlock();
    }
  }

  /// Waits for the steps that sessions are in, then frees their memory, the prepared weights, and
  /// the model if it is owned. Closing twice is harmless.
  ///
  /// @throws IllegalStateException if called by a [PositionConsumer] of this model, which would
  ///   wait for itself
  @Override
  public void close() {
    if (lock.getReadHoldCount() > 0) {
      throw new IllegalStateException("a consumer of logits cannot close the model they come from");
    }
    lock.writeLock().lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      sessions.forEach(Session::free);
      sessions.clear();
      scope.close();
      if (ownership == Ownership.OWNED) {
        model.close();
      }
    } finally {
      lock.writeLock().unlock();
    }
  }
}
