package org.quern.tck.reference;

import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.AttentionSpec;
import org.quern.core.MatmulDims;
import org.quern.core.Ops;
import org.quern.core.Philox;
import org.quern.core.Scope;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// Every operation as its description in [Ops] spells it. Of the fused ones, `linear` and attention
/// are written out too, so that the default compositions are checked against something that does
/// not use them; the rest are the defaults.
final class ReferenceOps implements Ops {
  private final Rounding r;
  private final ReferenceAttention attention;

  ReferenceOps(Rounding rounding) {
    this.r = rounding;
    this.attention = new ReferenceAttention(rounding);
  }

  private Cells cells(Tensor t) {
    return Cells.of(t, r);
  }

  private Cells cells(Sink s) {
    return Cells.of(s, r);
  }

  // --- memory ---

  @Override
  public void fill(Tensor y, float value) {
    Cells yc = cells(y);
    for (int i = 0; i < yc.count; i++) {
      yc.set(i, value);
    }
  }

  @Override
  public void copy(Tensor y, Tensor x) {
    System.arraycopy(
        ReferenceBuffer.of(x),
        Math.toIntExact(x.offset()),
        ReferenceBuffer.of(y),
        Math.toIntExact(y.offset()),
        Math.toIntExact(x.elements()));
  }

  @Override
  public void convert(Tensor y, Tensor x) {
    Cells yc = cells(y);
    Cells xc = cells(x);
    for (int i = 0; i < xc.count; i++) {
      // The rounding is what this operation is for, so the exact reference does it too.
      yc.set(i, y.dtype() == x.dtype() ? xc.get(i) : Rounding.toStorage(xc.get(i), y.dtype()));
    }
  }

  // --- elementwise ---

  @Override
  public void add(Tensor y, Tensor a, Tensor b) {
    Cells yc = cells(y);
    Cells ac = cells(a);
    Cells bc = cells(b);
    for (int i = 0; i < yc.count; i++) {
      yc.set(i, r.of(ac.get(i) + bc.get(i)));
    }
  }

  @Override
  public void axpy(Sink y, float alpha, Tensor x) {
    Cells yc = cells(y);
    Cells xc = cells(x);
    for (int i = 0; i < xc.count; i++) {
      yc.land(i, r.of(alpha * xc.get(i)));
    }
  }

  @Override
  public void scale(Tensor y, Tensor x, float alpha) {
    axpy(Sink.set(y), alpha, x);
  }

  @Override
  public void biasActivation(Tensor y, Tensor h, @Nullable Tensor bias, Activation f) {
    Cells yc = cells(y);
    Cells hc = cells(h);
    Cells bc = Cells.ofNullable(bias, r);
    int c = h.shape().intDim(-1);
    for (int i = 0; i < hc.count; i++) {
      double x = bc == null ? hc.get(i) : r.of(hc.get(i) + bc.get(i % c));
      hc.set(i, x);
      yc.set(i, Functions.apply(f, x, r));
    }
  }

  @Override
  public void activationBackward(Sink dx, Tensor dy, Tensor h, Activation f) {
    Cells dxc = cells(dx);
    Cells dyc = cells(dy);
    Cells hc = cells(h);
    for (int i = 0; i < hc.count; i++) {
      dxc.land(i, r.of(dyc.get(i) * Functions.derivative(f, hc.get(i), r)));
    }
  }

  @Override
  public void dropout(Sink y, Tensor x, float rate, long seed) {
    Cells yc = cells(y);
    Cells xc = cells(x);
    double keep = r.of(1.0 - rate);
    for (int i = 0; i < xc.count; i++) {
      yc.land(i, Philox.keeps(seed, i, rate) ? r.of(xc.get(i) / keep) : 0);
    }
  }

  // --- matrix products ---

  @Override
  public void matmul(Sink c, Tensor a, Trans ta, Tensor b, Trans tb, float alpha) {
    MatmulDims d = MatmulDims.of(c.tensor().shape(), a.shape(), ta, b.shape(), tb);
    double[] av = ReferenceBuffer.of(a);
    double[] bv = ReferenceBuffer.of(b);
    Cells cc = cells(c);
    int aRow = ta == Trans.N ? d.k() : 1;
    int aStep = ta == Trans.N ? 1 : d.m();
    int bColumn = tb == Trans.N ? 1 : d.k();
    int bStep = tb == Trans.N ? d.n() : 1;
    for (int p = 0; p < d.batch(); p++) {
      int a0 = Math.toIntExact(a.offset()) + p * d.m() * d.k();
      int b0 = Math.toIntExact(b.offset()) + p * d.n() * d.k();
      for (int m = 0; m < d.m(); m++) {
        for (int n = 0; n < d.n(); n++) {
          double sum = 0;
          for (int k = 0; k < d.k(); k++) {
            sum =
                r.of(sum + r.of(av[a0 + m * aRow + k * aStep] * bv[b0 + n * bColumn + k * bStep]));
          }
          cc.land((p * d.m() + m) * d.n() + n, r.of(alpha * sum));
        }
      }
    }
  }

  @Override
  public void sumRows(Sink dbias, Tensor dy) {
    Cells out = cells(dbias);
    Cells dyc = cells(dy);
    int columns = dy.shape().intDim(-1);
    for (int c = 0; c < columns; c++) {
      double sum = 0;
      for (int i = c; i < dyc.count; i += columns) {
        sum = r.of(sum + dyc.get(i));
      }
      out.land(c, sum);
    }
  }

  @Override
  public void linear(Tensor y, Tensor h, Tensor x, Tensor w, @Nullable Tensor bias, Activation f) {
    Cells yc = cells(y);
    Cells hc = cells(h);
    Cells xc = cells(x);
    Cells wc = cells(w);
    Cells bc = Cells.ofNullable(bias, r);
    int inputs = w.shape().intDim(-1);
    int outputs = w.shape().intDim(0);
    for (int n = 0; n < xc.count / inputs; n++) {
      for (int o = 0; o < outputs; o++) {
        double sum = 0;
        for (int c = 0; c < inputs; c++) {
          sum = r.of(sum + r.of(xc.get(n * inputs + c) * wc.get(o * inputs + c)));
        }
        double pre = bc == null ? sum : r.of(sum + bc.get(o));
        hc.set(n * outputs + o, pre);
        yc.set(n * outputs + o, Functions.apply(f, pre, r));
      }
    }
  }

  // --- normalization ---

  @Override
  public void layerNorm(
      Tensor y,
      Tensor mean,
      Tensor rstd,
      Tensor x,
      Tensor gamma,
      @Nullable Tensor beta,
      float epsilon) {
    Cells yc = cells(y);
    Cells xc = cells(x);
    Cells gc = cells(gamma);
    Cells bc = Cells.ofNullable(beta, r);
    Cells means = cells(mean);
    Cells rstds = cells(rstd);
    int c = x.shape().intDim(-1);
    for (int n = 0; n < xc.count / c; n++) {
      double sum = 0;
      for (int i = 0; i < c; i++) {
        sum = r.of(sum + xc.get(n * c + i));
      }
      double m = r.of(sum / c);
      double squares = 0;
      for (int i = 0; i < c; i++) {
        double d = r.of(xc.get(n * c + i) - m);
        squares = r.of(squares + r.of(d * d));
      }
      double variance = r.of(squares / c);
      double s = r.of(1 / r.of(Math.sqrt(r.of(variance + epsilon))));
      means.set(n, m);
      rstds.set(n, s);
      for (int i = 0; i < c; i++) {
        double xhat = r.of(r.of(xc.get(n * c + i) - m) * s);
        double scaled = r.of(xhat * gc.get(i));
        yc.set(n * c + i, bc == null ? scaled : r.of(scaled + bc.get(i)));
      }
    }
  }

  @Override
  public void layerNormBackward(
      Sink dx,
      Sink dgamma,
      @Nullable Sink dbeta,
      Tensor dy,
      Tensor x,
      Tensor gamma,
      Tensor mean,
      Tensor rstd) {
    Cells dxc = cells(dx);
    Cells dyc = cells(dy);
    Cells xc = cells(x);
    Cells gc = cells(gamma);
    Cells means = cells(mean);
    Cells rstds = cells(rstd);
    int c = x.shape().intDim(-1);
    double[] gammas = new double[c];
    double[] betas = new double[c];
    for (int n = 0; n < xc.count / c; n++) {
      double m = means.get(n);
      double s = rstds.get(n);
      double sumE = 0;
      double sumEx = 0;
      for (int i = 0; i < c; i++) {
        double g = dyc.get(n * c + i);
        double xhat = r.of(r.of(xc.get(n * c + i) - m) * s);
        double e = r.of(g * gc.get(i));
        sumE = r.of(sumE + e);
        sumEx = r.of(sumEx + r.of(e * xhat));
        gammas[i] = r.of(gammas[i] + r.of(g * xhat));
        betas[i] = r.of(betas[i] + g);
      }
      double meanE = r.of(sumE / c);
      double meanEx = r.of(sumEx / c);
      for (int i = 0; i < c; i++) {
        double xhat = r.of(r.of(xc.get(n * c + i) - m) * s);
        double e = r.of(dyc.get(n * c + i) * gc.get(i));
        dxc.land(n * c + i, r.of(s * r.of(r.of(e - meanE) - r.of(xhat * meanEx))));
      }
    }
    landAll(cells(dgamma), gammas);
    if (dbeta != null) {
      landAll(cells(dbeta), betas);
    }
  }

  private static void landAll(Cells out, double[] values) {
    for (int i = 0; i < values.length; i++) {
      out.land(i, values[i]);
    }
  }

  // --- attention ---

  @Override
  public void splitHeads(Tensor q, Tensor k, Tensor v, Tensor qkv, Tensor positions) {
    attention.splitHeads(q, k, v, qkv, positions);
  }

  @Override
  public void splitHeadsBackward(Sink dqkv, Tensor dq, Tensor dk, Tensor dv) {
    attention.splitHeadsBackward(dqkv, dq, dk, dv);
  }

  @Override
  public void mergeHeads(Tensor y, Tensor x) {
    attention.mergeHeads(y, x);
  }

  @Override
  public void mergeHeadsBackward(Sink dx, Tensor dy) {
    attention.mergeHeadsBackward(dx, dy);
  }

  @Override
  public void maskedSoftmax(Tensor y, Tensor lse, Tensor x, AttentionSpec spec, Tensor positions) {
    attention.maskedSoftmax(y, lse, x, spec, positions);
  }

  @Override
  public void maskedSoftmaxBackward(
      Sink dx, Tensor dy, Tensor x, Tensor lse, AttentionSpec spec, Tensor positions) {
    attention.maskedSoftmaxBackward(dx, dy, x, lse, spec, positions);
  }

  @Override
  public void attention(
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions,
      Scope scratch) {
    attention.attention(y, lse, q, k, v, spec, positions);
  }

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
      Scope scratch) {
    attention.attentionBackward(dq, dk, dv, dy, lse, q, k, v, spec, positions);
  }

  // --- embedding ---

  @Override
  public void embed(Tensor y, Tensor ids, Tensor wte, @Nullable Tensor wpe, Tensor positions) {
    Cells yc = cells(y);
    Cells idc = cells(ids);
    Cells tokens = cells(wte);
    Cells places = Cells.ofNullable(wpe, r);
    Cells starts = cells(positions);
    int c = wte.shape().intDim(-1);
    int length = ids.shape().intDim(-1);
    int table = wpe == null ? 0 : wpe.shape().intDim(0);
    for (int n = 0; n < idc.count; n++) {
      int p = Math.clamp((long) starts.getInt(n / length) + n % length, 0, Math.max(0, table - 1));
      for (int i = 0; i < c; i++) {
        double x = tokens.get(idc.getInt(n) * c + i);
        yc.set(n * c + i, places == null ? x : r.of(x + places.get(p * c + i)));
      }
    }
  }

  @Override
  public void embedBackward(
      Sink dwte, @Nullable Sink dwpe, Tensor dy, Tensor ids, Tensor positions) {
    Cells dyc = cells(dy);
    Cells idc = cells(ids);
    Cells starts = cells(positions);
    int c = dy.shape().intDim(-1);
    int length = ids.shape().intDim(-1);
    double[] tokens = new double[Math.toIntExact(dwte.tensor().elements())];
    double[] places = new double[dwpe == null ? c : Math.toIntExact(dwpe.tensor().elements())];
    for (int n = 0; n < idc.count; n++) {
      long at = (long) starts.getInt(n / length) + n % length;
      int p = Math.clamp(at, 0, places.length / c - 1);
      for (int i = 0; i < c; i++) {
        int t = idc.getInt(n) * c + i;
        tokens[t] = r.of(tokens[t] + dyc.get(n * c + i));
        places[p * c + i] = r.of(places[p * c + i] + dyc.get(n * c + i));
      }
    }
    landAll(cells(dwte), tokens);
    if (dwpe != null) {
      landAll(cells(dwpe), places);
    }
  }

  // --- head ---

  @Override
  public void crossEntropy(
      Tensor losses, @Nullable Tensor dx, Tensor x, Tensor targets, int ignore, float scale) {
    Cells out = cells(losses);
    Cells dxc = Cells.ofNullable(dx, r);
    Cells xc = cells(x);
    Cells target = cells(targets);
    int vocabulary = x.shape().intDim(-1);
    for (int n = 0; n < out.count; n++) {
      int row = n * vocabulary;
      int t = target.getInt(n);
      double lse = Functions.logSumExp(xc.copy(row, vocabulary), 0, vocabulary, 1, r);
      out.set(n, t == ignore ? 0 : r.of(lse - xc.get(row + t)));
      for (int i = 0; dxc != null && i < vocabulary; i++) {
        double p = r.of(Math.exp(r.of(xc.get(row + i) - lse)));
        dxc.set(row + i, t == ignore ? 0 : r.of(scale * r.of(p - (i == t ? 1 : 0))));
      }
    }
  }

  // --- optimizer ---

  @Override
  public void adamW(Tensor w, Tensor m, Tensor v, Tensor g, AdamWSpec spec) {
    Cells wc = cells(w);
    Cells mc = cells(m);
    Cells vc = cells(v);
    Cells gc = cells(g);
    double lr = spec.learningRate();
    double beta1 = spec.beta1();
    double beta2 = spec.beta2();
    double correction1 = r.of(1 - Math.pow(beta1, (double) spec.step()));
    double correction2 = r.of(1 - Math.pow(beta2, (double) spec.step()));
    for (int i = 0; i < wc.count; i++) {
      double gradient = r.of(spec.gradScale() * gc.get(i));
      double first = r.of(r.of(beta1 * mc.get(i)) + r.of(r.of(1 - beta1) * gradient));
      double second =
          r.of(r.of(beta2 * vc.get(i)) + r.of(r.of(1 - beta2) * r.of(gradient * gradient)));
      mc.set(i, first);
      vc.set(i, second);
      double root = r.of(Math.sqrt(r.of(second / correction2)));
      double step = r.of(r.of(first / correction1) / r.of(root + spec.epsilon()));
      double decayed = r.of(wc.get(i) - r.of(r.of(lr * spec.weightDecay()) * wc.get(i)));
      wc.set(i, r.of(decayed - r.of(lr * step)));
    }
  }

  @Override
  public void sumOfSquares(Tensor y, Tensor x) {
    Cells xc = cells(x);
    double sum = 0;
    for (int i = 0; i < xc.count; i++) {
      sum = r.of(sum + r.of(xc.get(i) * xc.get(i)));
    }
    cells(y).set(0, sum);
  }
}
