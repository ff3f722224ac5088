package org.quern.tck;

import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;
import org.quern.core.Activation;
import org.quern.core.AdamWSpec;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Calls that bytes bound, at the sizes of a training step of GPT-2 small on 16 texts: for [Speed].
/// Each moves more than most caches hold.
final class SpeedRows {
  private static final int BATCH = 16;
  private static final int C = SpeedCases.C;
  private static final int HEADS = SpeedCases.HEADS;
  private static final int D = SpeedCases.D;
  private static final int CONTEXT = SpeedCases.CONTEXT;
  private static final int VOCABULARY = SpeedCases.VOCABULARY;
  private static final int ROWS = BATCH * CONTEXT;
  private static final float EPSILON = 1e-5f;

  private SpeedRows() {}

  static void addTo(CaseList list) {
    elementwise(list);
    activations(list, 4096, 4 * C);
    convert(list, DType.F32, DType.BF16);
    convert(list, DType.BF16, DType.F32);
    convert(list, DType.F32, DType.F16);
    convert(list, DType.F16, DType.F32);
    norms(list);
    normGradients(list);
    heads(list);
    embed(list);
    embedBackward(list);
    crossEntropy(list, 256);
    optimizer(list, 16 * C, C);
  }

  private static void elementwise(CaseList list) {
    String shape = "[%d, %d]".formatted(ROWS, C);
    double n = (double) ROWS * C;
    list.add(
        "add",
        shape,
        n,
        t -> {
          Tensor a = t.normal("a", ROWS, C);
          Tensor b = t.normal("b", ROWS, C);
          Tensor y = t.output("y", ROWS, C);
          return () -> t.ops().add(y, a, b);
        });
    list.add(
        "dropout",
        shape,
        n,
        t -> {
          Tensor x = t.normal("x", ROWS, C);
          Sink y = t.sink("y", Sink.Mode.SET, ROWS, C);
          return () -> t.ops().dropout(y, x, 0.1f, 1);
        });
  }

  private static void activations(CaseList list, int n, int c) {
    String shape = "[%d, %d]".formatted(n, c);
    Activation f = Activation.GELU_TANH;
    list.add(
        "biasActivation",
        shape + " GELU",
        (double) n * c,
        t -> {
          Shape s = Shape.of(n, c);
          Tensor h = t.inOut("h", s, t.normals("h", s.elements()));
          Tensor bias = t.normal("bias", c);
          Tensor y = t.output("y", n, c);
          return () -> t.ops().biasActivation(y, h, bias, f);
        });
    list.add(
        "activationBackward",
        shape + " GELU",
        (double) n * c,
        t -> {
          Tensor h = t.normal("h", n, c);
          Tensor dy = t.normal("dy", n, c);
          Sink dx = t.sink("dx", Sink.Mode.SET, n, c);
          return () -> t.ops().activationBackward(dx, dy, h, f);
        });
    list.add(
        "sumRows",
        shape,
        (double) n * c,
        t -> {
          Tensor dy = t.normal("dy", n, c);
          Sink dbias = t.sink("dbias", Sink.Mode.SET, c);
          return () -> t.ops().sumRows(dbias, dy);
        });
  }

  private static void convert(CaseList list, DType from, DType to) {
    list.addExact(
        "convert",
        "[%d, %d] %s to %s".formatted(ROWS, C, from, to),
        t -> {
          Tensor x = t.normal("x", from, ROWS, C);
          Tensor y = t.output("y", to, ROWS, C);
          return () -> t.ops().convert(y, x);
        },
        from,
        to);
  }

  private static void norms(CaseList list) {
    String shape = "[%d, %d]".formatted(ROWS, C);
    double n = (double) ROWS * C;
    list.add(
        "layerNorm",
        shape,
        8 * n,
        t -> {
          Tensor x = t.normal("x", ROWS, C);
          Tensor gamma = t.normal("gamma", C);
          Tensor beta = t.normal("beta", C);
          Tensor y = t.output("y", ROWS, C);
          Tensor mean = t.output("mean", ROWS);
          Tensor rstd = t.output("rstd", ROWS);
          return () -> t.ops().layerNorm(y, mean, rstd, x, gamma, beta, EPSILON);
        });
    list.add(
        "addLayerNorm",
        shape,
        9 * n,
        t -> {
          Tensor a = t.normal("a", ROWS, C);
          Tensor b = t.normal("b", ROWS, C);
          Tensor gamma = t.normal("gamma", C);
          Tensor beta = t.normal("beta", C);
          Tensor sum = t.output("sum", ROWS, C);
          Tensor y = t.output("y", ROWS, C);
          Tensor mean = t.output("mean", ROWS);
          Tensor rstd = t.output("rstd", ROWS);
          return () -> t.ops().addLayerNorm(sum, y, mean, rstd, a, b, gamma, beta, EPSILON);
        });
  }

  private static void normGradients(CaseList list) {
    for (String op : new String[] {"layerNormBackward", "addLayerNormBackward"}) {
      boolean fused = op.startsWith("add");
      list.add(
          op,
          "[%d, %d]%s".formatted(ROWS, C, fused ? " ADD" : ""),
          (fused ? 15.0 : 14.0) * ROWS * C,
          t -> {
            Tensor x = t.normal("x", ROWS, C);
            Tensor dy = t.normal("dy", ROWS, C);
            Tensor gamma = t.normal("gamma", C);
            Tensor mean = t.input("mean", DType.F32, Shape.of(ROWS), new double[] {0});
            Tensor rstd = t.input("rstd", DType.F32, Shape.of(ROWS), new double[] {1});
            Sink dx = t.sink("dx", fused ? Sink.Mode.ADD : Sink.Mode.SET, ROWS, C);
            Sink dgamma = t.sink("dgamma", Sink.Mode.SET, C);
            Sink dbeta = t.sink("dbeta", Sink.Mode.SET, C);
            if (fused) {
              return () ->
                  t.ops().addLayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd);
            }
            return () -> t.ops().layerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd);
          });
    }
  }

  private static void heads(CaseList list) {
    String shape = "[%d, %d, %d, %d]".formatted(BATCH / 2, HEADS, CONTEXT, D);
    long[] parts = {BATCH / 2, HEADS, CONTEXT, D};
    long[] packed = {BATCH / 2, CONTEXT, 3 * C};
    long[] whole = {BATCH / 2, CONTEXT, C};
    list.addExact(
        "splitHeads",
        shape,
        t -> {
          Tensor qkv = t.normal("qkv", packed);
          Tensor positions = t.ints("positions", Shape.of(BATCH / 2), new int[BATCH / 2]);
          Tensor q = t.output("q", parts);
          Tensor k = t.output("k", parts);
          Tensor v = t.output("v", parts);
          return () -> t.ops().splitHeads(q, k, v, qkv, positions);
        });
    list.add(
        "splitHeadsBackward",
        shape,
        0,
        t -> {
          Tensor dq = t.normal("dq", parts);
          Tensor dk = t.normal("dk", parts);
          Tensor dv = t.normal("dv", parts);
          Sink dqkv = t.sink("dqkv", Sink.Mode.SET, packed);
          return () -> t.ops().splitHeadsBackward(dqkv, dq, dk, dv);
        });
    list.addExact(
        "mergeHeads",
        shape,
        t -> {
          Tensor x = t.normal("x", parts);
          Tensor y = t.output("y", whole);
          return () -> t.ops().mergeHeads(y, x);
        });
    list.add(
        "mergeHeadsBackward",
        shape,
        0,
        t -> {
          Tensor dy = t.normal("dy", whole);
          Sink dx = t.sink("dx", Sink.Mode.SET, parts);
          return () -> t.ops().mergeHeadsBackward(dx, dy);
        });
  }

  /// Few tokens that are frequent, many that are rare, somewhat like a text.
  private static int[] ids() {
    SplittableRandom random = new SplittableRandom(1);
    int[] ids = new int[ROWS];
    for (int i = 0; i < ids.length; i++) {
      double u = random.nextDouble();
      ids[i] = (int) (VOCABULARY * u * u * u);
    }
    return ids;
  }

  private static String tokens() {
    return String.format(Locale.ROOT, "B=%d S=%d C=%d V=%d", BATCH, CONTEXT, C, VOCABULARY);
  }

  /// Reads a row of the table a token, and the table of places once.
  private static void embed(CaseList list) {
    list.add(
        "embed",
        tokens(),
        (double) ROWS * C,
        t -> {
          Tensor ids = t.ints("ids", Shape.of(BATCH, CONTEXT), ids());
          Tensor wte = t.normal("wte", VOCABULARY, C);
          Tensor wpe = t.normal("wpe", CONTEXT, C);
          Tensor positions = t.ints("positions", Shape.of(BATCH), new int[BATCH]);
          Tensor y = t.output("y", BATCH, CONTEXT, C);
          t.moves(2.0 * y.bytes() + wpe.bytes() + ids.bytes());
          return () -> t.ops().embed(y, ids, wte, wpe, positions);
        });
  }

  /// Adds to a table that holds the gradient of the logits already: rows that a token names are
  /// read and written.
  private static void embedBackward(CaseList list) {
    list.add(
        "embedBackward",
        tokens() + " ADD",
        2.0 * ROWS * C,
        t -> {
          int[] tokens = ids();
          Tensor ids = t.ints("ids", Shape.of(BATCH, CONTEXT), tokens);
          Tensor positions = t.ints("positions", Shape.of(BATCH), new int[BATCH]);
          Tensor dy = t.normal("dy", BATCH, CONTEXT, C);
          Sink dwte = t.sink("dwte", Sink.Mode.ADD, VOCABULARY, C);
          Sink dwpe = t.sink("dwpe", Sink.Mode.SET, CONTEXT, C);
          double rows = Arrays.stream(tokens).distinct().count();
          double table = 2 * rows * C * Float.BYTES + dwpe.tensor().bytes();
          t.moves(dy.bytes() + table + ids.bytes());
          return () -> t.ops().embedBackward(dwte, dwpe, dy, ids, positions);
        });
  }

  private static void crossEntropy(CaseList list, int n) {
    list.add(
        "crossEntropy",
        "N=%d V=%d dx".formatted(n, VOCABULARY),
        6.0 * n * VOCABULARY,
        t -> {
          Tensor x = t.normal("x", n, VOCABULARY);
          Tensor targets = t.ints("targets", Shape.of(n), Arrays.copyOf(ids(), n));
          Tensor losses = t.output("losses", n);
          Tensor dx = t.output("dx", n, VOCABULARY);
          return () -> t.ops().crossEntropy(losses, dx, x, targets, -1, 1f / n);
        });
  }

  private static void optimizer(CaseList list, int n, int c) {
    String shape = "[%d, %d]".formatted(n, c);
    list.add(
        "adamW",
        shape,
        14.0 * n * c,
        t -> {
          Shape s = Shape.of(n, c);
          Tensor w = t.inOut("w", s, t.normals("w", s.elements()));
          Tensor m = t.inOut("m", s, new double[] {0});
          Tensor v = t.inOut("v", s, new double[] {0});
          Tensor g = t.normal("g", n, c);
          AdamWSpec spec = new AdamWSpec(1e-4f, 0.9f, 0.95f, 1e-8f, 0.1f, 1, 1);
          return () -> t.ops().adamW(w, m, v, g, spec);
        });
    list.add(
        "sumOfSquares",
        "[%d, %d]".formatted(VOCABULARY, C),
        2.0 * VOCABULARY * C,
        t -> {
          Tensor x = t.normal("x", VOCABULARY, C);
          Tensor y = t.output("y", 1);
          return () -> t.ops().sumOfSquares(y, x);
        });
  }
}
