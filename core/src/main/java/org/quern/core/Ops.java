package org.quern.core;

import org.jspecify.annotations.Nullable;

/// The mathematical seam: every operation that a GPT needs, forward and backward, shaped like a GPT
/// and not like a tensor library.
///
/// Rules that hold for all of them:
///
/// - Outputs come first. The caller owns all memory; an operation allocates only from a scratch
///   [Scope] that it is given.
/// - Shapes are checked by the caller ([org.quern.flow.Flow]), once. An operation may assume them.
/// - A [Sink] says whether a result replaces or is added. Plain outputs replace, and their old
///   contents are never read.
/// - Outputs do not overlap inputs unless the operation says so.
/// - Storage is F32. A backend may take BF16 and F16 too, and refuses them with an
///   `IllegalArgumentException` where it does not; [#copy] and [#convert] take every real storage.
///   Arithmetic and statistics (log-sum-exp, mean, rstd) are f32.
/// - Results do not depend on the number of threads, and the same call gives the same bits twice.
/// - Operations may run asynchronously, in the order of the calls.
///
/// Letters: B batch, T keys (cache rows), S queries (new tokens), C width, H heads, D = C/H head
/// size, V vocabulary, N rows of any kind, O outputs of a linear map.
///
/// Fused operations have a default, composed of required ones in [Compositions]. What a forward
/// saves for its backward is part of the contract, so that any forward pairs with any backward.
public interface Ops {
  // --- memory ---

  /// Sets every element.
  ///
  /// @param y any real storage
  /// @param value the value
  void fill(Tensor y, float value);

  /// Copies elements of the same storage, bit for bit.
  ///
  /// @param y as many elements as x
  /// @param x the source
  void copy(Tensor y, Tensor x);

  /// Copies elements between real storages, rounding to nearest even.
  ///
  /// @param y as many elements as x
  /// @param x the source
  void convert(Tensor y, Tensor x);

  // --- elementwise ---

  /// `y = a + b`. `y` may be the same tensor as `a` or `b`.
  ///
  /// @param y any shape
  /// @param a the same shape
  /// @param b the same shape
  void add(Tensor y, Tensor a, Tensor b);

  /// `y = alpha x`, or `y += alpha x`.
  ///
  /// @param y any shape
  /// @param alpha the factor
  /// @param x the same shape
  void axpy(Sink y, float alpha, Tensor x);

  /// `y = alpha x` in place or not: `y` may be the same tensor as `x`.
  ///
  /// @param y any shape
  /// @param x the same shape
  /// @param alpha the factor
  void scale(Tensor y, Tensor x, float alpha);

  /// `h = h + bias`, then `y = f(h)`. `h` keeps the pre-activation for the backward; `y` may be the
  /// same tensor as `h` when nothing needs that.
  ///
  /// @param y (N, C)
  /// @param h (N, C), in and out
  /// @param bias (C), or null for none
  /// @param f the activation
  void biasActivation(Tensor y, Tensor h, @Nullable Tensor bias, Activation f);

  /// `dx = dy f'(h)`. `dx` may be the same tensor as `dy` when it is set.
  ///
  /// @param dx the shape of h
  /// @param dy the shape of h
  /// @param h the pre-activation, bias included
  /// @param f the activation
  void activationBackward(Sink dx, Tensor dy, Tensor h, Activation f);

  /// Dropout: element i is 0 where [Philox#keeps] says no, else `x / (1 - rate)`. Its own backward.
  ///
  /// @param y any shape
  /// @param x the same shape
  /// @param rate in [0, 1)
  /// @param seed of the mask
  void dropout(Sink y, Tensor x, float rate, long seed);

  // --- matrix products ---

  /// `c = alpha op(a) op(b)`, batched as [MatmulDims] says.
  ///
  /// @param c (M, N)
  /// @param a (M, K), or (K, M) when transposed
  /// @param ta whether a is transposed
  /// @param b (K, N), or (N, K) when transposed
  /// @param tb whether b is transposed
  /// @param alpha the factor
  void matmul(Sink c, Tensor a, Trans ta, Tensor b, Trans tb, float alpha);

  /// `dbias[c] = sum_n dy[n, c]`, deterministic.
  ///
  /// @param dbias (C)
  /// @param dy (N, C)
  void sumRows(Sink dbias, Tensor dy);

  /// `h = x w^T + bias`, `y = f(h)`: the linear map in the layout of PyTorch's `Linear`.
  ///
  /// @param y (N, O)
  /// @param h (N, O) keeps the pre-activation for the backward; the same tensor as `y` when not
  ///   needed
  /// @param x (N, C)
  /// @param w (O, C)
  /// @param bias (O), or null for none
  /// @param f the activation
  default void linear(Tensor y, Tensor h, Tensor x, Tensor w, @Nullable Tensor bias, Activation f) {
    Compositions.linear(this, y, h, x, w, bias, f);
  }

  /// `dx = dh w`, `dw = dh^T x`, `dbias = sum_n dh[n]`.
  ///
  /// @param dx (N, C), or null when not needed
  /// @param dw (O, C)
  /// @param dbias (O), or null for none
  /// @param dh (N, O), the gradient of the pre-activation
  /// @param x (N, C)
  /// @param w (O, C)
  default void linearBackward(
      @Nullable Sink dx, Sink dw, @Nullable Sink dbias, Tensor dh, Tensor x, Tensor w) {
    Compositions.linearBackward(this, dx, dw, dbias, dh, x, w);
  }

  // --- normalization ---

  /// Layer normalization (arXiv:1607.06450) of each row: `y = (x - mean) rstd gamma + beta` with
  /// `rstd = 1 / sqrt(variance + epsilon)`, the variance biased and computed in two passes.
  ///
  /// @param y (N, C)
  /// @param mean (N), saved for the backward
  /// @param rstd (N), saved for the backward
  /// @param x (N, C)
  /// @param gamma (C)
  /// @param beta (C), or null for none
  /// @param epsilon the term under the root
  void layerNorm(
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor x,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon);

  /// The gradient of [#layerNorm]; with `xhat = (x - mean) rstd` and `e = dy gamma`, `dx = rstd (e
  /// - mean_c(e) - xhat mean_c(e xhat))`, `dgamma = sum_n dy xhat`, `dbeta = sum_n dy`.
  ///
  /// @param dx (N, C)
  /// @param dgamma (C)
  /// @param dbeta (C), or null for none
  /// @param dy (N, C)
  /// @param x (N, C)
  /// @param gamma (C)
  /// @param mean (N)
  /// @param rstd (N)
  void layerNormBackward(
      Sink dx,
      Sink dgamma,
      @Nullable Sink dbeta,
      Tensor dy,
      Tensor x,
      Tensor gamma,
      Tensor mean,
      Tensor rstd);

  /// `sum = a + b`, `y = layerNorm(sum)`: the residual connection and the next normalization in
  /// one.
  ///
  /// @param sum (N, C); may be the same tensor as `a` or `b`
  /// @param y (N, C)
  /// @param mean (N)
  /// @param rstd (N)
  /// @param a (N, C)
  /// @param b (N, C)
  /// @param gamma (C)
  /// @param beta (C), or null for none
  /// @param epsilon the term under the root
  default void addLayerNorm(
      Tensor sum,
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor a,
      Tensor b,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon) {
    Compositions.addLayerNorm(this, sum, y, mean, rstd, a, b, gamma, beta, epsilon);
  }

  /// The gradient of [#addLayerNorm]: `dsum` is completed in place with what flows through the
  /// normalization; it then is the gradient of both `a` and `b`.
  ///
  /// @param dsum (N, C): with ADD it holds the gradient that arrived on the residual path
  /// @param dgamma (C)
  /// @param dbeta (C), or null for none
  /// @param dy (N, C)
  /// @param sum (N, C)
  /// @param gamma (C)
  /// @param mean (N)
  /// @param rstd (N)
  default void addLayerNormBackward(
      Sink dsum,
      Sink dgamma,
      @Nullable Sink dbeta,
      Tensor dy,
      Tensor sum,
      Tensor gamma,
      Tensor mean,
      Tensor rstd) {
    Compositions.addLayerNormBackward(this, dsum, dgamma, dbeta, dy, sum, gamma, mean, rstd);
  }

  // --- attention ---

  /// Takes the packed projections apart: row `[q | k | v]` of token i of batch row b goes to `q[b,
  /// h, i]`, and to row `positions[b] + i` of `k[b, h]` and `v[b, h]`, the cache. Rows outside `[0,
  /// T)` are not written: a padded token past the end of the cache is dropped.
  ///
  /// @param q (B, H, S, D)
  /// @param k (B, H, T, D); other rows keep what they hold
  /// @param v (B, H, T, D); other rows keep what they hold
  /// @param qkv (B, S, 3 H D)
  /// @param positions (B), I32
  void splitHeads(Tensor q, Tensor k, Tensor v, Tensor qkv, Tensor positions);

  /// The gradient of [#splitHeads] for positions 0 and T = S.
  ///
  /// @param dqkv (B, S, 3 H D)
  /// @param dq (B, H, S, D)
  /// @param dk (B, H, S, D)
  /// @param dv (B, H, S, D)
  void splitHeadsBackward(Sink dqkv, Tensor dq, Tensor dk, Tensor dv);

  /// `y[b, i, h D + d] = x[b, h, i, d]`.
  ///
  /// @param y (B, S, H D)
  /// @param x (B, H, S, D)
  void mergeHeads(Tensor y, Tensor x);

  /// The gradient of [#mergeHeads].
  ///
  /// @param dx (B, H, S, D)
  /// @param dy (B, S, H D)
  void mergeHeadsBackward(Sink dx, Tensor dy);

  /// Scale, mask, softmax and dropout in one pass: `y[i, j] = keep[i, j] exp(scale x[i, j] -
  /// lse[i])`, 0 for hidden keys, with `lse[i] = log sum_j exp(scale x[i, j])` over the visible
  /// ones. A row that sees no key is 0 and its lse is positive infinity. Values of hidden keys are
  /// never used: they may be NaN.
  ///
  /// @param y (B, H, S, T); may be the same tensor as `x`
  /// @param lse (B, H, S), saved for the backward
  /// @param x (B, H, S, T), the products of queries and keys
  /// @param spec scale, mask and dropout
  /// @param positions (B), I32
  void maskedSoftmax(Tensor y, Tensor lse, Tensor x, AttentionSpec spec, Tensor positions);

  /// The gradient of [#maskedSoftmax]. With `p = exp(scale x - lse)` and `dp = keep dy`: `dx =
  /// scale p (dp - sum_j p dp)`; 0 for hidden keys.
  ///
  /// @param dx (B, H, S, T); may be the same tensor as `dy` when it is set
  /// @param dy (B, H, S, T)
  /// @param x (B, H, S, T), as in the forward
  /// @param lse (B, H, S)
  /// @param spec as in the forward
  /// @param positions (B), I32
  void maskedSoftmaxBackward(
      Sink dx, Tensor dy, Tensor x, Tensor lse, AttentionSpec spec, Tensor positions);

  /// `y = maskedSoftmax(q k^T) v` (arXiv:1706.03762). Only visible rows of k and v enter the
  /// result: the others may hold anything finite. Overrides keep no S x T matrix in memory
  /// (arXiv:2205.14135, arXiv:2307.08691).
  ///
  /// @param y (B, H, S, D)
  /// @param lse (B, H, S), saved for the backward
  /// @param q (B, H, S, D)
  /// @param k (B, H, T, D)
  /// @param v (B, H, T, D)
  /// @param spec scale, mask and dropout
  /// @param positions (B), I32
  /// @param scratch for temporary memory
  default void attention(
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    Compositions.attention(this, y, lse, q, k, v, spec, positions, scratch);
  }

  /// The gradient of [#attention], recomputing the weights from `lse`.
  ///
  /// @param dq (B, H, S, D)
  /// @param dk (B, H, T, D)
  /// @param dv (B, H, T, D)
  /// @param dy (B, H, S, D)
  /// @param y (B, H, S, D), the forward's result
  /// @param lse (B, H, S)
  /// @param q (B, H, S, D)
  /// @param k (B, H, T, D)
  /// @param v (B, H, T, D)
  /// @param spec as in the forward
  /// @param positions (B), I32
  /// @param scratch for temporary memory
  default void attentionBackward(
      Sink dq,
      Sink dk,
      Sink dv,
      Tensor dy,
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    Compositions.attentionBackward(this, dq, dk, dv, dy, y, lse, q, k, v, spec, positions, scratch);
  }

  // --- embedding ---

  /// `y[b, i] = wte[ids[b, i]] + wpe[p]` with `p = positions[b] + i`, clamped to the table.
  ///
  /// @param y (B, S, C)
  /// @param ids (B, S), I32, each in [0, V): the caller's promise
  /// @param wte (V, C)
  /// @param wpe (P, C), or null for none
  /// @param positions (B), I32
  void embed(Tensor y, Tensor ids, Tensor wte, @Nullable Tensor wpe, Tensor positions);

  /// The gradient of [#embed]; rows that no token names get 0 (SET) or keep theirs (ADD).
  /// Deterministic.
  ///
  /// @param dwte (V, C)
  /// @param dwpe (P, C), or null for none
  /// @param dy (B, S, C)
  /// @param ids (B, S), I32
  /// @param positions (B), I32
  void embedBackward(Sink dwte, @Nullable Sink dwpe, Tensor dy, Tensor ids, Tensor positions);

  // --- head ---

  /// Cross entropy of each row, and its gradient: `losses[n] = lse(x[n]) - x[n, t]`, `dx[n] = scale
  /// (softmax(x[n]) - onehot(t))`, both 0 where the target t is `ignore`.
  ///
  /// @param losses (N)
  /// @param dx (N, V), may be the same tensor as `x`; null when not needed
  /// @param x (N, V), the logits
  /// @param targets (N), I32, each in [0, V) or `ignore`: the caller's promise
  /// @param ignore the target that does not count
  /// @param scale the factor on the gradient: 1 / (number of targets that count)
  void crossEntropy(
      Tensor losses, @Nullable Tensor dx, Tensor x, Tensor targets, int ignore, float scale);

  // --- optimizer ---

  /// One step of AdamW in one pass, in place.
  ///
  /// @param w the weights, any shape
  /// @param m the first moment, F32
  /// @param v the second moment, F32
  /// @param g the gradient
  /// @param spec the numbers
  void adamW(Tensor w, Tensor m, Tensor v, Tensor g, AdamWSpec spec);

  /// `y[0] = sum_i x_i^2`, deterministic.
  ///
  /// @param y (1), F32
  /// @param x any shape
  void sumOfSquares(Tensor y, Tensor x);
}
