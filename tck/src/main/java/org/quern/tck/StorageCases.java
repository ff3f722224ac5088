package org.quern.tck;

import java.util.Map;
import org.quern.core.Activation;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// Operations on 16-bit tensors, which a backend may lack: arithmetic and statistics are F32, and
/// so are parameters of normalizations and their gradients.
final class StorageCases {
  private static final float EPSILON = 1e-5f;
  private static final int N = 7;
  private static final int C = 127;
  private static final int HEADS = 3;
  private static final int D = 13;

  private final CaseList list;
  private final DType dtype;

  private StorageCases(CaseList list, DType dtype) {
    this.list = list;
    this.dtype = dtype;
  }

  static void addTo(CaseList list) {
    for (DType dtype : new DType[] {DType.BF16, DType.F16}) {
      StorageCases cases = new StorageCases(list, dtype);
      cases.elements();
      cases.products();
      cases.norms();
      cases.heads();
      cases.softmax();
      cases.attention(N);
      cases.attention(1);
      cases.attentionBackward();
      cases.tokens();
    }
  }

  private void add(String op, String label, double flops, OpCase.Body body) {
    list.addOptional(op, dtype + " storage" + label, flops, body, dtype);
  }

  private Tensor normal(Trial t, String what, long... dims) {
    return t.normal(what, dtype, dims);
  }

  private Tensor output(Trial t, String what, long... dims) {
    return t.output(what, dtype, dims);
  }

  private Tensor inOut(Trial t, String what, long... dims) {
    Shape shape = Shape.of(dims);
    return t.inOut(what, dtype, shape, t.normals(what, shape.elements()));
  }

  private void elements() {
    add(
        "axpy",
        "",
        2.0 * C,
        t -> {
          Tensor x = normal(t, "x", C);
          Sink set = Sink.set(output(t, "set", C));
          Sink add = Sink.add(inOut(t, "add", C));
          return () -> {
            t.ops().axpy(set, 0.7f, x);
            t.ops().axpy(add, 0.7f, x);
          };
        });
    add(
        "fill",
        "",
        0,
        t -> {
          Tensor y = output(t, "y", C);
          return () -> t.ops().fill(y, -2.5f);
        });
    add(
        "dropout",
        "",
        C,
        t -> {
          Tensor x = normal(t, "x", C);
          Sink y = Sink.set(output(t, "y", C));
          return () -> t.ops().dropout(y, x, 0.3f, 42);
        });
    add(
        "sumOfSquares",
        "",
        2.0 * C,
        t -> {
          Tensor x = normal(t, "x", C);
          Tensor y = t.output("y", 1);
          return () -> t.ops().sumOfSquares(y, x);
        });
    for (Activation f : CaseList.ACTIVATIONS) {
      add(
          "biasActivation",
          " " + f,
          N * C,
          t -> {
            Tensor h = inOut(t, "h", N, C);
            Tensor bias = t.normal("bias", C);
            Tensor y = output(t, "y", N, C);
            return () -> t.ops().biasActivation(y, h, bias, f);
          });
      add(
          "activationBackward",
          " " + f,
          N * C,
          t -> {
            Tensor h = normal(t, "h", N, C);
            Tensor dy = normal(t, "dy", N, C);
            Sink dx = Sink.set(output(t, "dx", N, C));
            return () -> t.ops().activationBackward(dx, dy, h, f);
          });
    }
  }

  private void products() {
    for (Trans ta : Trans.values()) {
      for (Trans tb : Trans.values()) {
        add(
            "matmul",
            " %s%s".formatted(ta, tb),
            2.0 * 13 * 33 * C,
            t -> {
              Tensor a = ta == Trans.N ? normal(t, "a", 13, C) : normal(t, "a", C, 13);
              Tensor b = tb == Trans.N ? normal(t, "b", C, 33) : normal(t, "b", 33, C);
              Sink c = Sink.set(output(t, "c", 13, 33));
              return () -> t.ops().matmul(c, a, ta, b, tb, 0.5f);
            });
      }
    }
    for (int n : new int[] {1, 3, 19}) {
      add(
          "linear",
          " n=" + n,
          2.0 * n * 33 * C,
          t -> {
            Tensor x = normal(t, "x", n, C);
            Tensor w = normal(t, "w", 33, C);
            Tensor bias = t.normal("bias", 33);
            Tensor h = output(t, "h", n, 33);
            Tensor y = output(t, "y", n, 33);
            return () -> t.ops().linear(y, h, x, w, bias, Activation.GELU_TANH);
          });
    }
    add(
        "sumRows",
        "",
        N * C,
        t -> {
          Tensor dy = normal(t, "dy", N, C);
          Sink dbias = t.sink("dbias", Sink.Mode.SET, C);
          return () -> t.ops().sumRows(dbias, dy);
        });
  }

  private void norms() {
    add(
        "layerNorm",
        "",
        8.0 * N * C,
        t -> {
          Tensor x = normal(t, "x", N, C);
          Tensor gamma = t.normal("gamma", C);
          Tensor beta = t.normal("beta", C);
          Tensor y = output(t, "y", N, C);
          Tensor mean = t.output("mean", N);
          Tensor rstd = t.output("rstd", N);
          return () -> t.ops().layerNorm(y, mean, rstd, x, gamma, beta, EPSILON);
        });
    add(
        "layerNormBackward",
        "",
        16.0 * N * C,
        t -> {
          Map<String, double[]> forward =
              t.exactly(
                  e -> {
                    Tensor x = normal(e, "x", N, C);
                    Tensor y = e.output("y", N, C);
                    Tensor mean = e.output("mean", N);
                    Tensor rstd = e.output("rstd", N);
                    Tensor gamma = e.normal("gamma", C);
                    return () -> e.ops().layerNorm(y, mean, rstd, x, gamma, null, EPSILON);
                  });
          Tensor x = normal(t, "x", N, C);
          Tensor dy = normal(t, "dy", N, C);
          Tensor gamma = t.normal("gamma", C);
          Shape rows = Shape.of(N);
          Tensor mean = t.input("mean", DType.F32, rows, NormCases.get(forward, "mean"));
          Tensor rstd = t.input("rstd", DType.F32, rows, NormCases.get(forward, "rstd"));
          Sink dx = Sink.set(output(t, "dx", N, C));
          Sink dgamma = t.sink("dgamma", Sink.Mode.SET, C);
          Sink dbeta = t.sink("dbeta", Sink.Mode.SET, C);
          return () -> t.ops().layerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd);
        });
  }

  private void heads() {
    add(
        "splitHeads",
        "",
        0,
        t -> {
          Tensor qkv = normal(t, "qkv", 2, N, 3L * HEADS * D);
          Tensor positions = t.ints("positions", Shape.of(2), 0, 0);
          Tensor q = output(t, "q", 2, HEADS, N, D);
          Tensor k = output(t, "k", 2, HEADS, N, D);
          Tensor v = output(t, "v", 2, HEADS, N, D);
          return () -> t.ops().splitHeads(q, k, v, qkv, positions);
        });
    add(
        "splitHeadsBackward",
        "",
        0,
        t -> {
          Tensor dq = normal(t, "dq", 2, HEADS, N, D);
          Tensor dk = normal(t, "dk", 2, HEADS, N, D);
          Tensor dv = normal(t, "dv", 2, HEADS, N, D);
          Sink dqkv = Sink.set(output(t, "dqkv", 2, N, 3L * HEADS * D));
          return () -> t.ops().splitHeadsBackward(dqkv, dq, dk, dv);
        });
    add(
        "mergeHeadsBackward",
        "",
        0,
        t -> {
          Tensor dy = normal(t, "dy", 2, N, HEADS * D);
          Sink dx = Sink.set(output(t, "dx", 2, HEADS, N, D));
          return () -> t.ops().mergeHeadsBackward(dx, dy);
        });
  }

  private static AttentionSpec spec() {
    return AttentionShape.spec(Mask.banded(5), D, 0.2f);
  }

  private void softmax() {
    long[] dims = {2, HEADS, N, N};
    double flops = 8.0 * 2 * HEADS * N * N;
    add(
        "maskedSoftmax",
        "",
        flops,
        t -> {
          Tensor x = normal(t, "x", dims);
          Tensor positions = t.ints("positions", Shape.of(2), 0, 0);
          Tensor y = output(t, "y", dims);
          Tensor lse = t.output("lse", 2, HEADS, N);
          return () -> t.ops().maskedSoftmax(y, lse, x, spec(), positions);
        });
    add(
        "maskedSoftmaxBackward",
        "",
        flops,
        t -> {
          Map<String, double[]> forward =
              t.exactly(
                  e -> {
                    Tensor x = normal(e, "x", dims);
                    Tensor positions = e.ints("positions", Shape.of(2), 0, 0);
                    Tensor y = e.output("y", dims);
                    Tensor lse = e.output("lse", 2, HEADS, N);
                    return () -> e.ops().maskedSoftmax(y, lse, x, spec(), positions);
                  });
          Tensor x = normal(t, "x", dims);
          Tensor dy = normal(t, "dy", dims);
          Shape rows = Shape.of(2, HEADS, N);
          Tensor lse = t.input("lse", DType.F32, rows, NormCases.get(forward, "lse"));
          Tensor positions = t.ints("positions", Shape.of(2), 0, 0);
          Sink dx = Sink.set(output(t, "dx", dims));
          return () -> t.ops().maskedSoftmaxBackward(dx, dy, x, lse, spec(), positions);
        });
  }

  private void attention(int queries) {
    add(
        "attention",
        " S=" + queries,
        4.0 * 2 * HEADS * queries * N * D,
        t -> {
          Tensor q = normal(t, "q", 2, HEADS, queries, D);
          Tensor k = normal(t, "k", 2, HEADS, N, D);
          Tensor v = normal(t, "v", 2, HEADS, N, D);
          Tensor positions = t.ints("positions", Shape.of(2), N - queries, 0);
          Tensor y = output(t, "y", 2, HEADS, queries, D);
          Tensor lse = t.output("lse", 2, HEADS, queries);
          return () -> t.ops().attention(y, lse, q, k, v, spec(), positions, t.scope());
        });
  }

  private void attentionBackward() {
    long[] dims = {2, HEADS, N, D};
    add(
        "attentionBackward",
        "",
        10.0 * 2 * HEADS * N * N * D,
        t -> {
          Map<String, double[]> forward =
              t.exactly(
                  e -> {
                    Tensor y = e.output("y", dims);
                    Tensor lse = e.output("lse", 2, HEADS, N);
                    Tensor q = normal(e, "q", dims);
                    Tensor k = normal(e, "k", dims);
                    Tensor v = normal(e, "v", dims);
                    Tensor positions = e.ints("positions", Shape.of(2), 0, 0);
                    return () -> e.ops().attention(y, lse, q, k, v, spec(), positions, e.scope());
                  });
          Tensor q = normal(t, "q", dims);
          Tensor k = normal(t, "k", dims);
          Tensor v = normal(t, "v", dims);
          Tensor dy = normal(t, "dy", dims);
          Tensor positions = t.ints("positions", Shape.of(2), 0, 0);
          Tensor y = t.input("y", dtype, Shape.of(dims), NormCases.get(forward, "y"));
          Shape rows = Shape.of(2, HEADS, N);
          Tensor lse = t.input("lse", DType.F32, rows, NormCases.get(forward, "lse"));
          Sink dq = Sink.set(output(t, "dq", dims));
          Sink dk = Sink.set(output(t, "dk", dims));
          Sink dv = Sink.set(output(t, "dv", dims));
          return () ->
              t.ops()
                  .attentionBackward(dq, dk, dv, dy, y, lse, q, k, v, spec(), positions, t.scope());
        });
  }

  private void tokens() {
    add(
        "embed",
        "",
        0,
        t -> {
          Tensor ids = t.ints("ids", Shape.of(2, 3), 4, 0, 4, 1, 2, 4);
          Tensor wte = normal(t, "wte", 5, C);
          Tensor wpe = normal(t, "wpe", 9, C);
          Tensor positions = t.ints("positions", Shape.of(2), 0, 5);
          Tensor y = output(t, "y", 2, 3, C);
          return () -> t.ops().embed(y, ids, wte, wpe, positions);
        });
    add(
        "embedBackward",
        "",
        0,
        t -> {
          Tensor ids = t.ints("ids", Shape.of(2, 3), 4, 0, 4, 1, 2, 4);
          Tensor dy = normal(t, "dy", 2, 3, C);
          Tensor positions = t.ints("positions", Shape.of(2), 0, 5);
          Sink dwte = t.sink("dwte", Sink.Mode.SET, 5, C);
          Sink dwpe = t.sink("dwpe", Sink.Mode.SET, 9, C);
          return () -> t.ops().embedBackward(dwte, dwpe, dy, ids, positions);
        });
    add(
        "crossEntropy",
        "",
        6.0 * N * C,
        t -> {
          Tensor x = normal(t, "x", N, C);
          Tensor targets = t.ints("targets", Shape.of(N), 0, 5, -1, 126, 7, 7, 64);
          Tensor losses = t.output("losses", N);
          Tensor dx = output(t, "dx", N, C);
          return () -> t.ops().crossEntropy(losses, dx, x, targets, -1, 1f / N);
        });
  }
}
