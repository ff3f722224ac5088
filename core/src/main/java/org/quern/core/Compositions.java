package org.quern.core;

import org.jspecify.annotations.Nullable;

/// The fused operations of [Ops], written with the required ones: the default of each, and the text
/// that says what it means.
public final class Compositions {
  private Compositions() {}

  /// [Ops#linear] as a product, then bias and activation.
  ///
  /// @param ops what to compose
  /// @param y (N, O)
  /// @param h (N, O)
  /// @param x (N, C)
  /// @param w (O, C)
  /// @param bias (O) or null
  /// @param f the activation
  public static void linear(
      Ops ops, Tensor y, Tensor h, Tensor x, Tensor w, @Nullable Tensor bias, Activation f) {
    ops.matmul(Sink.set(h), x, Trans.N, w, Trans.T, 1);
    if (bias != null || f != Activation.NONE || !y.equals(h)) {
      ops.biasActivation(y, h, bias, f);
    }
  }

  /// [Ops#linearBackward] as two products and a column sum.
  ///
  /// @param ops what to compose
  /// @param dx (N, C) or null
  /// @param dw (O, C)
  /// @param dbias (O) or null
  /// @param dh (N, O)
  /// @param x (N, C)
  /// @param w (O, C)
  public static void linearBackward(
      Ops ops, @Nullable Sink dx, Sink dw, @Nullable Sink dbias, Tensor dh, Tensor x, Tensor w) {
    if (dx != null) {
      ops.matmul(dx, dh, Trans.N, w, Trans.N, 1);
    }
    ops.matmul(dw, dh, Trans.T, x, Trans.N, 1);
    if (dbias != null) {
      ops.sumRows(dbias, dh);
    }
  }

  /// [Ops#addLayerNorm] as a sum and a normalization.
  ///
  /// @param ops what to compose
  /// @param sum (N, C)
  /// @param y (N, C)
  /// @param mean (N)
  /// @param rstd (N)
  /// @param a (N, C)
  /// @param b (N, C)
  /// @param gamma (C)
  /// @param beta (C) or null
  /// @param epsilon the term under the root
  public static void addLayerNorm(
      Ops ops,
      Tensor sum,
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor a,
      Tensor b,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon) {
    ops.add(sum, a, b);
    ops.layerNorm(y, mean, rstd, sum, gamma, beta, epsilon);
  }

  /// [Ops#addLayerNormBackward] as the gradient of the normalization, added to what is there.
  ///
  /// @param ops what to compose
  /// @param dsum (N, C)
  /// @param dgamma (C)
  /// @param dbeta (C) or null
  /// @param dy (N, C)
  /// @param sum (N, C)
  /// @param gamma (C)
  /// @param mean (N)
  /// @param rstd (N)
  public static void addLayerNormBackward(
      Ops ops,
      Sink dsum,
      Sink dgamma,
      @Nullable Sink dbeta,
      Tensor dy,
      Tensor sum,
      Tensor gamma,
      Tensor mean,
      Tensor rstd) {
    ops.layerNormBackward(dsum, dgamma, dbeta, dy, sum, gamma, mean, rstd);
  }

  /// [Ops#attention] with the whole S x T matrix in memory.
  ///
  /// @param ops what to compose
  /// @param y (B, H, S, D)
  /// @param lse (B, H, S)
  /// @param q (B, H, S, D)
  /// @param k (B, H, T, D)
  /// @param v (B, H, T, D)
  /// @param spec scale, mask and dropout
  /// @param positions (B)
  /// @param scratch for the matrix
  public static void attention(
      Ops ops,
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    Tensor p = scratch.allocate(DType.F32, scores(q, k)); // (B, H, S, T)
    ops.matmul(Sink.set(p), q, Trans.N, k, Trans.T, 1);
    ops.maskedSoftmax(p, lse, p, spec, positions);
    ops.matmul(Sink.set(y), p, Trans.N, v, Trans.N, 1);
    scratch.release(p);
  }

  /// [Ops#attentionBackward] with two S x T matrices in memory.
  ///
  /// @param ops what to compose
  /// @param dq (B, H, S, D)
  /// @param dk (B, H, T, D)
  /// @param dv (B, H, T, D)
  /// @param dy (B, H, S, D)
  /// @param y (B, H, S, D)
  /// @param lse (B, H, S)
  /// @param q (B, H, S, D)
  /// @param k (B, H, T, D)
  /// @param v (B, H, T, D)
  /// @param spec as in the forward
  /// @param positions (B)
  /// @param scratch for the matrices
  public static void attentionBackward(
      Ops ops,
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
    Shape shape = scores(q, k);
    Tensor x = scratch.allocate(DType.F32, shape);
    Tensor p = scratch.allocate(DType.F32, shape);
    Tensor again = scratch.allocate(DType.F32, lse.shape());
    ops.matmul(Sink.set(x), q, Trans.N, k, Trans.T, 1);
    ops.maskedSoftmax(p, again, x, spec, positions);
    ops.matmul(dv, p, Trans.T, dy, Trans.N, 1);
    ops.matmul(Sink.set(p), dy, Trans.N, v, Trans.T, 1); // p now holds its own gradient
    ops.maskedSoftmaxBackward(Sink.set(p), p, x, lse, spec, positions);
    ops.matmul(dq, p, Trans.N, k, Trans.N, 1);
    ops.matmul(dk, p, Trans.T, q, Trans.N, 1);
    scratch.release(again);
    scratch.release(p);
    scratch.release(x);
  }

  private static Shape scores(Tensor q, Tensor k) {
    return q.shape().withLast(k.shape().dim(-2));
  }
}
