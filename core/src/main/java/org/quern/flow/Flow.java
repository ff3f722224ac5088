package org.quern.flow;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Ops;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// The functional face of [Ops] that models are written against. Each method checks shapes once,
/// allocates its result from the step's scope, calls the operation, and says how its gradient
/// flows. A plain `Flow` forgets that last part: it is inference, without dropout. A [Tape] records
/// it.
///
/// Results belong to the scope. Shapes use the letters of [Ops].
public class Flow {
  private final Backend backend;
  private final Ops ops;
  private final PreparedWeights prepared;
  private final @Nullable Trace trace;
  private Scope scope;

  /// Makes a flow for inference.
  ///
  /// @param backend where to compute
  /// @param scope owns what is computed
  public Flow(Backend backend, Scope scope) {
    this(backend, scope, PreparedWeights.NONE);
  }

  /// Makes a flow for inference with weights in the backend's own layout.
  ///
  /// @param backend where to compute
  /// @param scope owns what is computed
  /// @param prepared weights of the model
  public Flow(Backend backend, Scope scope, PreparedWeights prepared) {
    this(backend, scope, prepared, null);
  }

  /// Makes a flow for inference that somebody listens to.
  ///
  /// @param backend where to compute
  /// @param scope owns what is computed
  /// @param prepared weights of the model
  /// @param trace hears of what the model computes; null: nobody does
  public Flow(Backend backend, Scope scope, PreparedWeights prepared, @Nullable Trace trace) {
    this.backend = backend;
    this.ops = backend.ops();
    this.scope = scope;
    this.prepared = prepared;
    this.trace = trace;
  }

  /// Pairs what [#addLayerNorm] gives.
  ///
  /// @param sum a + b, the residual stream
  /// @param normed its normalization
  public record Residual(Tensor sum, Tensor normed) {}

  /// What [#splitHeads] gives.
  ///
  /// @param q (B, H, S, D)
  /// @param k (B, H, T, D)
  /// @param v (B, H, T, D)
  public record Heads(Tensor q, Tensor k, Tensor v) {}

  // --- what a tape does otherwise ---

  /// Keeps the rule that turns a result's gradient into its inputs' gradients. Inference keeps
  /// nothing.
  ///
  /// @param out the result
  /// @param rule takes the gradient of `out`
  void onBackward(Tensor out, Consumer<Tensor> rule) {}

  /// Keeps the rule of an operation with several results; it runs when a gradient of any of them
  /// arrived.
  ///
  /// @param outs the results
  /// @param rule takes their gradients from [#arrived]
  void onBackward(List<Tensor> outs, Runnable rule) {}

  /// {@return the gradient of a result in its rule; zeros where none arrived}
  ///
  /// @param out a result
  /// @throws IllegalStateException in inference
  Tensor arrived(Tensor out) {
    throw new IllegalStateException("gradients exist on a Tape only");
  }

  /// {@return where the gradient of a tensor lands}
  ///
  /// @param x what the gradient is of
  /// @throws IllegalStateException in inference
  Sink grad(Tensor x) {
    throw new IllegalStateException("gradients exist on a Tape only");
  }

  /// {@return the seed of the next dropout, or null when nothing is dropped}
  @Nullable Long nextDropoutSeed() {
    return null;
  }

  /// Allocates a result, or a tensor saved for the backward.
  ///
  /// @param shape its dimensions
  /// @return undefined contents
  Tensor allocate(Shape shape) {
    return scope.allocate(DType.F32, shape);
  }

  /// {@return the result of a block of the model}
  ///
  /// In inference all that the block computes on the way is released. A [Tape] may forget it too
  /// and compute it again in the backward (arXiv:1604.06174).
  ///
  /// @param x what goes in
  /// @param block what to compute
  public Tensor checkpoint(Tensor x, UnaryOperator<Tensor> block) {
    Scope outer = scope;
    try (Scope inner = backend.open("block")) {
      scope = inner;
      Tensor y = block.apply(x);
      if (inner.owns(y)) {
        inner.move(y, outer);
      }
      return y;
    } finally {
      scope = outer;
    }
  }

  /// {@return the backend}
  public final Backend backend() {
    return backend;
  }

  /// {@return the operations}
  final Ops ops() {
    return ops;
  }

  /// {@return the scope that owns results}
  public final Scope scope() {
    return scope;
  }

  /// {@return who listens to the model, or null}
  public final @Nullable Trace trace() {
    return trace;
  }

  // --- operations ---

  /// {@return token and position embeddings, `wte[ids] + wpe[positions + i]`}
  ///
  /// @param ids (B, S), I32
  /// @param wte (V, C)
  /// @param wpe (P, C), or null for none
  /// @param positions (B), I32
  /// @param train whether wpe is learned; a fixed table gets no gradient
  public Tensor embed(
      Tensor ids, Tensor wte, @Nullable Tensor wpe, Tensor positions, Learned train) {
    require(
        "embed",
        ids.shape().rank() == 2 && positions.elements() == ids.shape().dim(0),
        "ids %s must be [B, S] and positions %s [B]",
        ids.shape(),
        positions.shape());
    require(
        "embed",
        wpe == null || wpe.shape().last() == wte.shape().last(),
        "wte %s and wpe %s must agree in their last dimension (width)",
        wte.shape(),
        wpe == null ? "" : wpe.shape());
    Shape s = ids.shape();
    Tensor y = allocate(Shape.of(s.dim(0), s.dim(1), wte.shape().last()));
    ops.embed(y, ids, wte, wpe, positions);
    onBackward(
        y,
        dy ->
            ops.embedBackward(
                grad(wte),
                wpe == null || train == Learned.NO ? null : grad(wpe),
                dy,
                ids,
                positions));
    return y;
  }

  /// Whether a table is trained.
  public enum Learned {
    /// It has a gradient.
    YES,
    /// It is fixed.
    NO
  }

  /// {@return some rows of a tensor, (R, C)}
  ///
  /// @param x (..., C), seen as (N, C)
  /// @param rows (R), I32, each in [0, N)
  public Tensor selectRows(Tensor x, Tensor rows) {
    long c = x.shape().last();
    Tensor ids = rows.view(Shape.of(rows.elements(), 1));
    Tensor table = x.view(Shape.of(x.shape().rows(), c));
    Tensor y = allocate(Shape.of(rows.elements(), 1, c));
    ops.embed(y, ids, table, null, rows);
    onBackward(y, dy -> ops.embedBackward(grad(table), null, dy, ids, rows));
    return y.view(Shape.of(rows.elements(), c));
  }

  /// {@return `x w^T + bias`, (..., O)}
  ///
  /// @param x (..., C)
  /// @param w (O, C)
  /// @param bias (O), or null for none
  public Tensor linear(Tensor x, Tensor w, @Nullable Tensor bias) {
    return linear(x, w, bias, Activation.NONE);
  }

  /// {@return `f(x w^T + bias)`, (..., O)}
  ///
  /// @param x (..., C)
  /// @param w (O, C)
  /// @param bias (O), or null for none
  /// @param f the activation
  public Tensor linear(Tensor x, Tensor w, @Nullable Tensor bias, Activation f) {
    require(
        "linear",
        w.shape().rank() == 2 && x.shape().last() == w.shape().last(),
        "x %s and w %s must agree in their last dimension (inputs)",
        x.shape(),
        w.shape());
    require(
        "linear",
        bias == null || bias.elements() == w.shape().dim(0),
        "w %s and bias %s must agree in outputs",
        w.shape(),
        bias == null ? "" : bias.shape());
    Tensor y = allocate(x.shape().withLast(w.shape().dim(0)));
    Tensor h = f == Activation.NONE || !records() ? y : allocate(y.shape());
    ops.linear(y, h, x, prepared.of(w), bias, f);
    onBackward(
        y,
        dy -> {
          if (f != Activation.NONE) {
            ops.activationBackward(Sink.set(dy), dy, h, f);
          }
          ops.linearBackward(grad(x), grad(w), bias == null ? null : grad(bias), dy, x, w);
        });
    return y;
  }

  /// {@return whether rules are kept}
  boolean records() {
    return false;
  }

  /// {@return `a + b`}
  ///
  /// @param a any shape
  /// @param b the same shape
  public Tensor add(Tensor a, Tensor b) {
    requireSame("add", a, b);
    Tensor y = allocate(a.shape());
    ops.add(y, a, b);
    onBackward(
        y,
        dy -> {
          ops.axpy(grad(a), 1, dy);
          ops.axpy(grad(b), 1, dy);
        });
    return y;
  }

  /// {@return the layer normalization of each row}
  ///
  /// @param x (..., C)
  /// @param gamma (C)
  /// @param beta (C), or null for none
  /// @param epsilon the term under the root
  public Tensor layerNorm(Tensor x, Tensor gamma, @Nullable Tensor beta, float epsilon) {
    requireWidth("layerNorm", x, gamma);
    Shape rows = Shape.of(x.shape().rows());
    Tensor y = allocate(x.shape());
    Tensor mean = allocate(rows);
    Tensor rstd = allocate(rows);
    ops.layerNorm(y, mean, rstd, x, gamma, beta, epsilon);
    onBackward(
        y,
        dy ->
            ops.layerNormBackward(
                grad(x), grad(gamma), gradOrNull(beta), dy, x, gamma, mean, rstd));
    return y;
  }

  /// {@return the sum `a + b`, and its layer normalization}
  ///
  /// @param a (..., C)
  /// @param b the same shape
  /// @param gamma (C)
  /// @param beta (C), or null for none
  /// @param epsilon the term under the root
  public Residual addLayerNorm(
      Tensor a, Tensor b, Tensor gamma, @Nullable Tensor beta, float epsilon) {
    requireSame("addLayerNorm", a, b);
    requireWidth("addLayerNorm", a, gamma);
    Shape rows = Shape.of(a.shape().rows());
    Tensor sum = allocate(a.shape());
    Tensor y = allocate(a.shape());
    Tensor mean = allocate(rows);
    Tensor rstd = allocate(rows);
    ops.addLayerNorm(sum, y, mean, rstd, a, b, gamma, beta, epsilon);
    // Two rules, since either result may be used alone; the second, which runs first, completes the
    // gradient of the sum.
    onBackward(
        sum,
        dsum -> {
          ops.axpy(grad(a), 1, dsum);
          ops.axpy(grad(b), 1, dsum);
        });
    onBackward(
        y,
        dy ->
            ops.addLayerNormBackward(
                grad(sum), grad(gamma), gradOrNull(beta), dy, sum, gamma, mean, rstd));
    return new Residual(sum, y);
  }

  /// {@return packed projections taken apart; k and v are written to the cache, where one is given}
  ///
  /// @param qkv (B, S, 3 H D)
  /// @param heads H
  /// @param cacheK (B, H, T, D), or null: then T = S, and positions must be 0
  /// @param cacheV the same, or null
  /// @param positions (B), I32
  public Heads splitHeads(
      Tensor qkv, int heads, @Nullable Tensor cacheK, @Nullable Tensor cacheV, Tensor positions) {
    Shape s = qkv.shape();
    require(
        "splitHeads",
        s.rank() == 3 && s.last() % (3L * heads) == 0,
        "qkv %s must be [B, S, 3 H D] for H = %s heads",
        s,
        heads);
    Shape shape = Shape.of(s.dim(0), heads, s.dim(1), s.last() / (3L * heads));
    Tensor q = allocate(shape);
    Tensor k = cacheK == null ? allocate(shape) : cacheK;
    Tensor v = cacheV == null ? allocate(shape) : cacheV;
    ops.splitHeads(q, k, v, qkv, positions);
    if (cacheK == null) {
      onBackward(
          List.of(q, k, v),
          () -> ops.splitHeadsBackward(grad(qkv), arrived(q), arrived(k), arrived(v)));
    }
    return new Heads(q, k, v);
  }

  /// {@return heads side by side, (B, S, H D)}
  ///
  /// @param x (B, H, S, D)
  public Tensor mergeHeads(Tensor x) {
    Shape s = x.shape();
    require("mergeHeads", s.rank() == 4, "x %s must be [B, H, S, D]", s);
    Tensor y = allocate(Shape.of(s.dim(0), s.dim(2), s.dim(1) * s.dim(3)));
    ops.mergeHeads(y, x);
    onBackward(y, dy -> ops.mergeHeadsBackward(grad(x), dy));
    return y;
  }

  /// {@return masked attention, (B, H, S, D)}
  ///
  /// @param q (B, H, S, D)
  /// @param k (B, H, T, D)
  /// @param v (B, H, T, D)
  /// @param mask which keys are visible
  /// @param dropout of the weights, in training
  /// @param positions (B), I32
  public Tensor attention(
      Tensor q, Tensor k, Tensor v, Mask mask, float dropout, Tensor positions) {
    Shape s = q.shape();
    require(
        "attention",
        s.rank() == 4
            && k.shape().equals(v.shape())
            && k.shape().dim(0) == s.dim(0)
            && k.shape().dim(1) == s.dim(1)
            && k.shape().dim(3) == s.dim(3),
        "q %s, k %s and v %s must be [B, H, S, D], [B, H, T, D] twice",
        s,
        k.shape(),
        v.shape());
    Long seed = dropout > 0 ? nextDropoutSeed() : null;
    float scale = (float) (1 / Math.sqrt(s.last()));
    AttentionSpec spec =
        seed == null
            ? AttentionSpec.of(mask, scale)
            : new AttentionSpec(mask, scale, dropout, seed);
    Tensor y = allocate(s);
    Tensor lse = allocate(Shape.of(s.dim(0), s.dim(1), s.dim(2)));
    ops.attention(y, lse, q, k, v, spec, positions, scope);
    onBackward(
        y,
        dy ->
            ops.attentionBackward(
                grad(q), grad(k), grad(v), dy, y, lse, q, k, v, spec, positions, scope));
    return y;
  }

  /// {@return x with elements dropped in training; x itself in inference}
  ///
  /// @param x any shape
  /// @param rate the share to drop, in [0, 1)
  public Tensor dropout(Tensor x, float rate) {
    Long seed = rate > 0 ? nextDropoutSeed() : null;
    if (seed == null) {
      return x;
    }
    Tensor y = allocate(x.shape());
    ops.dropout(Sink.set(y), x, rate, seed);
    onBackward(y, dy -> ops.dropout(grad(x), dy, rate, seed));
    return y;
  }

  final @Nullable Sink gradOrNull(@Nullable Tensor x) {
    return x == null ? null : grad(x);
  }

  static void require(String op, boolean ok, String message, Object... args) {
    if (!ok) {
      throw new IllegalArgumentException(op + ": " + message.formatted(args));
    }
  }

  private static void requireSame(String op, Tensor a, Tensor b) {
    require(
        op,
        a.shape().equals(b.shape()),
        "a %s and b %s must have the same shape",
        a.shape(),
        b.shape());
  }

  private static void requireWidth(String op, Tensor x, Tensor gamma) {
    require(
        op,
        gamma.elements() == x.shape().last(),
        "x %s and gamma %s must agree in their last dimension (width)",
        x.shape(),
        gamma.shape());
  }
}
