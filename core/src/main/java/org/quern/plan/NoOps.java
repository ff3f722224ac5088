package org.quern.plan;

import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.AttentionSpec;
import org.quern.core.Ops;
import org.quern.core.Scope;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// Every operation, done by doing nothing. Attention takes no memory for scores, as the fused
/// kernels of all backends do not.
final class NoOps implements Ops {
  @Override
  public void fill(Tensor y, float value) {}

  @Override
  public void copy(Tensor y, Tensor x) {}

  @Override
  public void convert(Tensor y, Tensor x) {}

  @Override
  public void add(Tensor y, Tensor a, Tensor b) {}

  @Override
  public void axpy(Sink y, float alpha, Tensor x) {}

  @Override
  public void scale(Tensor y, Tensor x, float alpha) {}

  @Override
  public void biasActivation(Tensor y, Tensor h, @Nullable Tensor bias, Activation f) {}

  @Override
  public void activationBackward(Sink dx, Tensor dy, Tensor h, Activation f) {}

  @Override
  public void dropout(Sink y, Tensor x, float rate, long seed) {}

  @Override
  public void matmul(Sink c, Tensor a, Trans ta, Tensor b, Trans tb, float alpha) {}

  @Override
  public void sumRows(Sink dbias, Tensor dy) {}

  @Override
  public void layerNorm(
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor x,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon) {}

  @Override
  public void layerNormBackward(
      Sink dx,
      Sink dgamma,
      @Nullable Sink dbeta,
      Tensor dy,
      Tensor x,
      Tensor gamma,
      Tensor mean,
      Tensor rstd) {}

  @Override
  public void splitHeads(Tensor q, Tensor k, Tensor v, Tensor qkv, Tensor positions) {}

  @Override
  public void splitHeadsBackward(Sink dqkv, Tensor dq, Tensor dk, Tensor dv) {}

  @Override
  public void mergeHeads(Tensor y, Tensor x) {}

  @Override
  public void mergeHeadsBackward(Sink dx, Tensor dy) {}

  @Override
  public void maskedSoftmax(Tensor y, Tensor lse, Tensor x, AttentionSpec spec, Tensor positions) {}

  @Override
  public void maskedSoftmaxBackward(
      Sink dx, Tensor dy, Tensor x, Tensor lse, AttentionSpec spec, Tensor positions) {}

  @Override
  public void attention(
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {}

  @Override
  public void attentionBackward(
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
      Scope scratch) {}

  @Override
  public void embed(Tensor y, Tensor ids, Tensor wte, @Nullable Tensor wpe, Tensor positions) {}

  @Override
  public void embedBackward(
      Sink dwte, @Nullable Sink dwpe, Tensor dy, Tensor ids, Tensor positions) {}

  @Override
  public void crossEntropy(
      Tensor losses, @Nullable Tensor dx, Tensor x, Tensor targets, int ignore, float scale) {}

  @Override
  public void adamW(Tensor w, Tensor m, Tensor v, Tensor g, AdamWSpec spec) {}

  @Override
  public void sumOfSquares(Tensor y, Tensor x) {}
}
