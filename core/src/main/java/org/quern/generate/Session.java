package org.quern.generate;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Flow;
import org.quern.gpt.KvCache;

/// Runs B texts of different lengths through a model side by side: [#prefill] takes the prompts in
/// one pass, then [#step] takes one token a text. Keys and values of earlier tokens are kept, so
/// that a token costs one token's work.
///
/// Texts do not see each other. Shorter prompts are padded at the end; what the padding leaves in
/// the cache lies behind the text, where no query looks, and later tokens overwrite it.
///
/// Belongs to one thread. Logits that it returns are valid until its next call. Closing twice is
/// harmless.
public final class Session implements AutoCloseable {
  /// In place of a token: the row waits, its logits mean nothing.
  public static final int IDLE = -1;

  /// The most tokens, over all rows, of one pass of a prefill: bounds the memory for activations.
  private static final int TOKENS_AT_ONCE = 2048;

  private final InferenceModel model;
  private final Backend backend;
  private final Scope scope;
  private final KvCache cache;
  private final int[] lengths; // (B)
  private final float[][] logits; // (B, V)
  private final float[] staging; // (B V)
  private final int[] rows; // 0, 1, ... B - 1
  private boolean closed;

  Session(InferenceModel model, int batch, int capacity) {
    if (batch <= 0) {
      throw new IllegalArgumentException("session: batch must be positive, found " + batch);
    }
    if (capacity <= 0 || capacity > model.context()) {
      throw new IllegalArgumentException(
          "session: capacity must be from 1 to the model's context %d, found %d"
              .formatted(model.context(), capacity));
    }
    this.model = model;
    this.backend = model.backend();
    this.lengths = new int[batch];
    this.logits = new float[batch][model.vocabulary()];
    this.staging = new float[Math.multiplyExact(batch, model.vocabulary())];
    this.rows = new int[batch];
    Arrays.setAll(rows, b -> b);
    this.scope = backend.open("session");
    try {
      this.cache = model.model().newCache(scope, batch, capacity);
    } catch (Throwable e) {
      scope.close();
      throw e;
    }
  }

  /// {@return B, the number of texts}
  public int batch() {
    return lengths.length;
  }

  /// {@return how many tokens of each text there is room for}
  public int capacity() {
    return cache.capacity();
  }

  /// {@return how many tokens a row holds}
  ///
  /// @param row from 0
  public int length(int row) {
    return lengths[row];
  }

  /// {@return whether a row has no room for another token}
  ///
  /// @param row from 0
  public boolean isFull(int row) {
    return lengths[row] == capacity();
  }

  /// Starts every row anew with a prompt.
  ///
  /// @param prompts B of them, each from 1 to the capacity long
  /// @return logits of the token behind each prompt, (B, V), until the next call
  /// @throws IllegalArgumentException if the number of prompts is not B, one is empty or too long,
  ///   or has an id out of the vocabulary
  /// @throws IllegalStateException if this session or its model is closed
  public float[][] prefill(int[]... prompts) {
    if (prompts.length != batch()) {
      throw new IllegalArgumentException(
          "prefill: %d prompts for a session of batch %d".formatted(prompts.length, batch()));
    }
    fill(cache, 0, prompts);
    return logits;
  }

  /// Starts one row anew with a prompt; the others keep what they hold, and their logits.
  ///
  /// @param row from 0
  /// @param prompt from 1 to the capacity long
  /// @return logits of the token behind the prompt, (V), until the next call
  /// @throws IllegalArgumentException if the prompt is empty or too long, or has an id out of the
  ///   vocabulary
  /// @throws IllegalStateException if this session or its model is closed
  public float[] prefillRow(int row, int[] prompt) {
    List<KvCache.Layer> layers = new ArrayList<>();
    for (KvCache.Layer l : cache.layers()) {
      layers.add(new KvCache.Layer(l.k().slice(row, row + 1), l.v().slice(row, row + 1)));
    }
    fill(new KvCache(layers, 1, capacity()), row, new int[][] {prompt});
    return logits[row];
  }

  private void fill(KvCache part, int firstRow, int[][] prompts) {
    checkOpen();
    int longest = 0;
    for (int b = 0; b < prompts.length; b++) {
      Prompts.check(prompts[b], firstRow + b, capacity(), model.context(), model.vocabulary());
      longest = Math.max(longest, prompts[b].length);
    }
    int end = longest;
    Arrays.fill(lengths, firstRow, firstRow + prompts.length, 0); // in case of an exception
    model.whileOpen(
        () -> {
          int chunk = Math.max(1, TOKENS_AT_ONCE / prompts.length);
          for (int from = 0; from < end; from += chunk) {
            fillChunk(part, firstRow, prompts, from, Math.min(end, from + chunk));
          }
          return part;
        });
    for (int b = 0; b < prompts.length; b++) {
      lengths[firstRow + b] = prompts[b].length;
    }
  }

  /// Runs tokens `from` to `to` of all prompts, and keeps the logits of those that end here.
  private void fillChunk(KvCache part, int firstRow, int[][] prompts, int from, int to) {
    int batch = prompts.length;
    int s = to - from;
    int[] ids = new int[batch * s];
    int[] ends = new int[batch];
    int[] endRows = new int[batch];
    int count = 0;
    for (int b = 0; b < batch; b++) {
      int n = prompts[b].length;
      if (n > from) {
        System.arraycopy(prompts[b], from, ids, b * s, Math.min(s, n - from));
      }
      if (n > from && n <= to) { // its last token is here
        ends[count] = b * s + n - 1 - from;
        endRows[count++] = firstRow + b;
      }
    }
    int[] starts = new int[batch];
    Arrays.fill(starts, from);
    try (Scope step = backend.open("prefill")) {
      Flow f = model.flow(step);
      Tensor x = hidden(f, ids, starts, part); // (B, S, C)
      if (count > 0) {
        Tensor rows = step.allocate(DType.I32, Shape.of(count));
        backend.upload(rows, Arrays.copyOf(ends, count));
        Tensor last = f.selectRows(x, rows); // (count, C)
        download(model.model().unembed(f, last), Arrays.copyOf(endRows, count));
      }
    }
  }

  /// Takes the next token of each row.
  ///
  /// @param tokens (B); [#IDLE] for a row that waits
  /// @return logits of the token behind each, (B, V), until the next call
  /// @throws IllegalArgumentException if the number of tokens is not B, or one is out of the
  ///   vocabulary
  /// @throws IllegalStateException if a row has no prompt yet or is full, or this session or its
  ///   model is closed
  public float[][] step(int... tokens) {
    checkOpen();
    int batch = batch();
    if (tokens.length != batch) {
      throw new IllegalArgumentException(
          "step: %d tokens for a session of batch %d".formatted(tokens.length, batch));
    }
    int[] ids = new int[batch];
    int active = 0;
    for (int b = 0; b < batch; b++) {
      if (tokens[b] != IDLE) {
        checkStep(b, tokens[b]);
        ids[b] = tokens[b];
        active++;
      }
    }
    if (active > 0) {
      model.whileOpen(
          () -> {
            try (Scope step = backend.open("step")) {
              Flow f = model.flow(step);
              // An idle row's token lands behind its text, or nowhere when that is full.
              Tensor x = hidden(f, ids, lengths, cache); // (B, 1, C)
              Tensor all = x.view(Shape.of(batch, x.shape().last()));
              download(model.model().unembed(f, all), rows);
            }
            return ids;
          });
      for (int b = 0; b < batch; b++) {
        lengths[b] += tokens[b] == IDLE ? 0 : 1;
      }
    }
    return logits;
  }

  private void checkStep(int row, int token) {
    if (lengths[row] == 0) {
      throw new IllegalStateException(
          "session: row %d has no prompt yet; call prefill first".formatted(row));
    }
    if (isFull(row)) {
      throw new IllegalStateException(
          "session: row %d is full with %d tokens; prefill it with the last of them"
              .formatted(row, capacity()));
    }
    Prompts.checkId(token, row, lengths[row], model.vocabulary());
  }

  private Tensor hidden(Flow f, int[] ids, int[] starts, KvCache part) {
    int batch = starts.length;
    Tensor tokens = f.scope().allocate(DType.I32, Shape.of(batch, ids.length / batch));
    Tensor positions = f.scope().allocate(DType.I32, Shape.of(batch));
    backend.upload(tokens, ids);
    backend.upload(positions, starts);
    return model.model().hidden(f, tokens, positions, part);
  }

  /// Copies logits to their rows.
  private void download(Tensor from, int[] rows) {
    int v = model.vocabulary();
    MemorySegment all = MemorySegment.ofArray(staging);
    backend.download(all.asSlice(0, from.bytes()), from);
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(staging, i * v, logits[rows[i]], 0, v);
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException(
          "session of batch %d is closed: open another".formatted(batch()));
    }
  }

  /// Frees the cache. Closing twice is harmless.
  @Override
  public void close() {
    closed = true;
    model.close(this);
  }

  /// Returns the memory; called once, by the model.
  void free() {
    scope.close();
  }
}
