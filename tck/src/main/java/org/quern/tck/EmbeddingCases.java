package org.quern.tck;

import java.util.Arrays;
import org.quern.core.DType;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Embedding and cross entropy.
final class EmbeddingCases {
  private static final int TABLE = 11;

  private EmbeddingCases() {}

  static void addTo(CaseList list) {
    int[][] positions = {{0}, {0, 0}, {-2, 3}, {9, 20, -20}};
    for (int[] at : positions) {
      for (int c : new int[] {1, 7, 64, 127}) {
        for (int v : new int[] {1, 13}) {
          for (boolean places : new boolean[] {true, false}) {
            embed(list, at, c, v, places);
          }
        }
      }
    }
    for (int[] s : new int[][] {{1, 1}, {3, 7}, {13, 64}, {7, 771}, {5, 207}, {64, 3}}) {
      for (int ignore : new int[] {-1, 0}) {
        for (boolean gradient : new boolean[] {true, false}) {
          crossEntropy(list, s[0], s[1], ignore, gradient, 1);
        }
      }
      crossEntropy(list, s[0], s[1], -1, true, 1e4);
    }
  }

  private static Tensor ids(Trial t, int batch, int length, int vocabulary) {
    double[] random = t.normals("ids", (long) batch * length);
    int[] ids = new int[random.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = Math.floorMod((int) Math.round(random[i] * 5), vocabulary);
    }
    return t.ints("ids", Shape.of(batch, length), ids);
  }

  private static void embed(CaseList list, int[] at, int c, int v, boolean places) {
    int batch = at.length;
    int length = 5;
    String label =
        "at %s C=%d V=%d%s".formatted(Arrays.toString(at), c, v, places ? " places" : "");
    list.add(
        "embed",
        label,
        0,
        t -> {
          Tensor ids = ids(t, batch, length, v);
          Tensor wte = t.normal("wte", v, c);
          Tensor wpe = places ? t.normal("wpe", TABLE, c) : null;
          Tensor positions = t.ints("positions", Shape.of(batch), at);
          Tensor y = t.output("y", batch, length, c);
          return () -> t.ops().embed(y, ids, wte, wpe, positions);
        });
    for (Sink.Mode mode : CaseList.MODES) {
      Sink.Mode other = mode == Sink.Mode.SET ? Sink.Mode.ADD : Sink.Mode.SET;
      list.add(
          "embedBackward",
          mode + " " + label,
          0,
          t -> {
            Tensor ids = ids(t, batch, length, v);
            Tensor positions = t.ints("positions", Shape.of(batch), at);
            Tensor dy = t.normal("dy", batch, length, c);
            Sink dwte = t.sink("dwte", mode, v, c);
            Sink dwpe = places ? t.sink("dwpe", other, TABLE, c) : null;
            return () -> t.ops().embedBackward(dwte, dwpe, dy, ids, positions);
          });
    }
  }

  private static void crossEntropy(
      CaseList list, int n, int v, int ignore, boolean gradient, double factor) {
    list.add(
        "crossEntropy",
        "N=%d V=%d ignore %d%s%s"
            .formatted(n, v, ignore, gradient ? " dx" : "", factor == 1 ? "" : " extreme"),
        6.0 * n * v,
        t -> {
          double[] logits = t.normals("x", (long) n * v);
          double[] random = t.normals("targets", n);
          int[] targets = new int[n];
          for (int i = 0; i < logits.length; i++) {
            logits[i] *= factor;
          }
          for (int i = 0; i < n; i++) {
            int target = Math.floorMod((int) Math.round(random[i] * 1000), v);
            targets[i] = i % 4 == 1 ? ignore : target;
          }
          Shape s = Shape.of(n, v);
          Tensor x = t.input("x", DType.F32, s, logits);
          Tensor target = t.ints("targets", Shape.of(n), targets);
          Tensor losses = t.output("losses", n);
          if (!gradient) {
            return () -> t.ops().crossEntropy(losses, null, x, target, ignore, 1);
          }
          Tensor dx = t.output("dx", n, v);
          Tensor both = t.inOut("both", s, logits);
          Tensor losses2 = t.output("losses2", n);
          float scale = 1f / n;
          return () -> {
            t.ops().crossEntropy(losses, dx, x, target, ignore, scale);
            t.ops().crossEntropy(losses2, both, both, target, ignore, scale);
          };
        });
  }
}
