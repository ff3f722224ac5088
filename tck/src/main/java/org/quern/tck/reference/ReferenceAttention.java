package org.quern.tck.reference;

import org.quern.core.AttentionSpec;
import org.quern.core.Philox;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// The attention part of [ReferenceOps]: loops over the visible keys of each query.
final class ReferenceAttention {
  private final Rounding r;

  ReferenceAttention(Rounding rounding) {
    this.r = rounding;
  }

  private Cells cells(Tensor t) {
    return Cells.of(t, r);
  }

  private Cells cells(Sink s) {
    return Cells.of(s, r);
  }

  // --- heads ---

  void splitHeads(Tensor q, Tensor k, Tensor v, Tensor qkv, Tensor positions) {
    Cells[] out = {cells(q), cells(k), cells(v)};
    Cells in = cells(qkv);
    Cells starts = cells(positions);
    Shape s = q.shape();
    int keys = k.shape().intDim(2);
    Packed at = new Packed(s);
    for (int part = 0; part < 3; part++) {
      for (int n = 0; n < s.elements(); n++) {
        int b = at.batch(n);
        int row = part == 0 ? at.query(n) : starts.getInt(b) + at.query(n);
        int rows = part == 0 ? at.queries : keys;
        if (row >= 0 && row < rows) {
          int head = b * at.heads + at.head(n);
          out[part].set((head * rows + row) * at.size + at.element(n), in.get(at.packed(n, part)));
        }
      }
    }
  }

  void splitHeadsBackward(Sink dqkv, Tensor dq, Tensor dk, Tensor dv) {
    Cells out = cells(dqkv);
    Cells[] in = {cells(dq), cells(dk), cells(dv)};
    Packed at = new Packed(dq.shape());
    for (int part = 0; part < 3; part++) {
      for (int n = 0; n < in[part].count; n++) {
        out.land(at.packed(n, part), in[part].get(n));
      }
    }
  }

  void mergeHeads(Tensor y, Tensor x) {
    Cells yc = cells(y);
    Cells xc = cells(x);
    Packed at = new Packed(x.shape());
    for (int n = 0; n < xc.count; n++) {
      yc.set(at.merged(n), xc.get(n));
    }
  }

  void mergeHeadsBackward(Sink dx, Tensor dy) {
    Cells dxc = cells(dx);
    Cells dyc = cells(dy);
    Packed at = new Packed(dx.tensor().shape());
    for (int n = 0; n < dxc.count; n++) {
      dxc.land(n, dyc.get(at.merged(n)));
    }
  }

  /// Where element n of `[B, H, S, D]` lies in `[B, S, H D]` and `[B, S, 3 H D]`.
  private static final class Packed {
    final int heads;
    final int queries;
    final int size;

    Packed(Shape s) {
      heads = s.intDim(1);
      queries = s.intDim(2);
      size = s.intDim(3);
    }

    int element(int n) {
      return n % size;
    }

    int query(int n) {
      return n / size % queries;
    }

    int head(int n) {
      return n / size / queries % heads;
    }

    int batch(int n) {
      return n / size / queries / heads;
    }

    int merged(int n) {
      return ((batch(n) * queries + query(n)) * heads + head(n)) * size + element(n);
    }

    int packed(int n, int part) {
      int token = batch(n) * queries + query(n);
      return ((token * 3 + part) * heads + head(n)) * size + element(n);
    }
  }

  // --- softmax ---

  /// Calls the visitor for each row of `[B, H, S, T]` with the range of visible keys.
  private void eachRow(Shape scores, AttentionSpec spec, Tensor positions, RowVisitor visitor) {
    Cells starts = cells(positions);
    int heads = scores.intDim(1);
    int queries = scores.intDim(2);
    int keys = scores.intDim(3);
    for (int row = 0; row < scores.rows(); row++) {
      int position = starts.getInt(row / queries / heads) + row % queries;
      int from = spec.mask().firstKey(position);
      int to = spec.mask().endKey(position, keys);
      visitor.visit(row, Math.min(from, to), to); // empty when it sees none
    }
  }

  private interface RowVisitor {
    void visit(int row, int from, int to);
  }

  void maskedSoftmax(Tensor y, Tensor lse, Tensor x, AttentionSpec spec, Tensor positions) {
    Cells yc = cells(y);
    Cells xc = cells(x);
    Cells lses = cells(lse);
    int keys = x.shape().intDim(3);
    eachRow(
        x.shape(),
        spec,
        positions,
        (row, from, to) -> {
          int x0 = row * keys;
          double[] visible = xc.copy(x0 + from, to - from);
          double l = Functions.logSumExp(visible, 0, to - from, spec.scale(), r);
          lses.set(row, l);
          for (int j = 0; j < keys; j++) {
            boolean seen = j >= from && j < to;
            yc.set(x0 + j, seen ? kept(weight(xc.get(x0 + j), l, spec), x0 + j, spec) : 0);
          }
        });
  }

  /// {@return `exp(scale x - lse)`}
  private double weight(double x, double lse, AttentionSpec spec) {
    return r.of(Math.exp(r.of(r.of(spec.scale() * x) - lse)));
  }

  /// {@return x where dropout keeps the element, scaled; else 0}
  private double kept(double x, long element, AttentionSpec spec) {
    if (spec.dropout() == 0) {
      return x;
    }
    boolean keeps = Philox.keeps(spec.seed(), element, spec.dropout());
    return keeps ? r.of(x / r.of(1.0 - spec.dropout())) : 0;
  }

  void maskedSoftmaxBackward(
      Sink dx, Tensor dy, Tensor x, Tensor lse, AttentionSpec spec, Tensor positions) {
    Cells dxc = cells(dx);
    Cells dyc = cells(dy);
    Cells xc = cells(x);
    Cells lses = cells(lse);
    int keys = x.shape().intDim(3);
    eachRow(
        x.shape(),
        spec,
        positions,
        (row, from, to) -> {
          int x0 = row * keys;
          double l = lses.get(row);
          double sum = 0;
          for (int j = from; j < to; j++) {
            double p = weight(xc.get(x0 + j), l, spec);
            sum = r.of(sum + r.of(p * kept(dyc.get(x0 + j), x0 + j, spec)));
          }
          for (int j = 0; j < keys; j++) {
            double slope = 0;
            if (j >= from && j < to) {
              double p = weight(xc.get(x0 + j), l, spec);
              double rest = r.of(kept(dyc.get(x0 + j), x0 + j, spec) - sum);
              slope = r.of(r.of(spec.scale() * p) * rest);
            }
            dxc.land(x0 + j, slope);
          }
        });
  }

  // --- attention ---

  void attention(
      Tensor y, Tensor lse, Tensor q, Tensor k, Tensor v, AttentionSpec spec, Tensor positions) {
    Cells yc = cells(y);
    Cells lses = cells(lse);
    Cells qc = cells(q);
    Cells kc = cells(k);
    Cells vc = cells(v);
    int queries = q.shape().intDim(2);
    int keys = k.shape().intDim(2);
    int size = q.shape().intDim(3);
    double[] scores = new double[keys];
    eachRow(
        q.shape().withLast(keys),
        spec,
        positions,
        (row, from, to) -> {
          int k0 = row / queries * keys * size; // this head's first key
          for (int j = from; j < to; j++) {
            scores[j] = dot(qc, row * size, kc, k0 + j * size, size);
          }
          double l = Functions.logSumExp(scores, from, to, spec.scale(), r);
          lses.set(row, l);
          double[] sum = new double[size];
          for (int j = from; j < to; j++) {
            double p = kept(weight(scores[j], l, spec), (long) row * keys + j, spec);
            addScaled(sum, p, vc, k0 + j * size);
          }
          for (int d = 0; d < size; d++) {
            yc.set(row * size + d, sum[d]);
          }
        });
  }

  private double dot(Cells a, int a0, Cells b, int b0, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum = r.of(sum + r.of(a.get(a0 + i) * b.get(b0 + i)));
    }
    return sum;
  }

  private void addScaled(double[] sum, double factor, Cells x, int x0) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] = r.of(sum[i] + r.of(factor * x.get(x0 + i)));
    }
  }

  void attentionBackward(
      Sink dq,
      Sink dk,
      Sink dv,
      Tensor dy,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      AttentionSpec spec,
      Tensor positions) {
    Cells dqc = cells(dq);
    Cells dyc = cells(dy);
    Cells lses = cells(lse);
    Cells qc = cells(q);
    Cells kc = cells(k);
    Cells vc = cells(v);
    int queries = q.shape().intDim(2);
    int keys = k.shape().intDim(2);
    int size = q.shape().intDim(3);
    double[] dkSum = new double[kc.count];
    double[] dvSum = new double[vc.count];
    double[] p = new double[keys];
    double[] dp = new double[keys];
    eachRow(
        q.shape().withLast(keys),
        spec,
        positions,
        (row, from, to) -> {
          int k0 = row / queries * keys * size;
          double inner = 0;
          for (int j = from; j < to; j++) {
            long element = (long) row * keys + j;
            p[j] = weight(dot(qc, row * size, kc, k0 + j * size, size), lses.get(row), spec);
            addScaled(dvSum, k0 + j * size, kept(p[j], element, spec), dyc, row * size, size);
            dp[j] = kept(dot(dyc, row * size, vc, k0 + j * size, size), element, spec);
            inner = r.of(inner + r.of(p[j] * dp[j]));
          }
          double[] sum = new double[size];
          for (int j = from; j < to; j++) {
            double dx = r.of(r.of(spec.scale() * p[j]) * r.of(dp[j] - inner));
            addScaled(sum, dx, kc, k0 + j * size);
            addScaled(dkSum, k0 + j * size, dx, qc, row * size, size);
          }
          for (int d = 0; d < size; d++) {
            dqc.land(row * size + d, sum[d]);
          }
        });
    landAll(cells(dk), dkSum);
    landAll(cells(dv), dvSum);
  }

  private void addScaled(double[] sum, int s0, double factor, Cells x, int x0, int count) {
    for (int i = 0; i < count; i++) {
      sum[s0 + i] = r.of(sum[s0 + i] + r.of(factor * x.get(x0 + i)));
    }
  }

  private static void landAll(Cells out, double[] values) {
    for (int i = 0; i < values.length; i++) {
      out.land(i, values[i]);
    }
  }
}
