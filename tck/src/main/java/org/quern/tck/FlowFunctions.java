package org.quern.tck;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.quern.core.Activation;
import org.quern.core.Mask;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.flow.Flow;

/// Every operation of [Flow] as a function of its inputs.
final class FlowFunctions {
  private static final float EPSILON = 1e-5f;

  private FlowFunctions() {}

  static List<FlowFunction> all() {
    List<FlowFunction> out = new ArrayList<>();
    for (Activation f : Activation.values()) {
      out.add(
          of(
              "linear " + f,
              s(2, 3, 7),
              (flow, x, t) -> flow.linear(x.get(0), x.get(1), x.get(2), f),
              s(2, 3, 5),
              s(7, 5),
              s(7)));
    }
    out.add(
        of(
            "linear no bias",
            s(3, 7),
            (flow, x, t) -> flow.linear(x.get(0), x.get(1), null),
            s(3, 5),
            s(7, 5)));
    out.add(of("add", s(3, 5), (f, x, t) -> f.add(x.get(0), x.get(1)), s(3, 5), s(3, 5)));
    out.add(of("add to itself", s(3, 5), (f, x, t) -> f.add(x.get(0), x.get(0)), s(3, 5)));
    out.add(of("dropout", s(7, 13), (f, x, t) -> f.dropout(x.get(0), 0.4f), s(7, 13)));
    out.add(
        of(
            "checkpoint",
            s(3, 5),
            (f, x, t) -> f.checkpoint(x.get(0), in -> f.linear(in, x.get(1), null)),
            s(3, 5),
            s(5, 5)));
    norms(out);
    embeddings(out);
    heads(out);
    attention(out);
    return out;
  }

  private static Shape s(long... dims) {
    return Shape.of(dims);
  }

  private static FlowFunction of(
      String name, Shape output, FlowFunction.Body body, Shape... inputs) {
    return new FlowFunction(name, List.of(inputs), output, body);
  }

  private static void norms(List<FlowFunction> out) {
    out.add(
        of(
            "layerNorm",
            s(3, 7),
            (f, x, t) -> f.layerNorm(x.get(0), x.get(1), x.get(2), EPSILON),
            s(3, 7),
            s(7),
            s(7)));
    out.add(
        of(
            "layerNorm no beta",
            s(2, 3, 7),
            (f, x, t) -> f.layerNorm(x.get(0), x.get(1), null, EPSILON),
            s(2, 3, 7),
            s(7)));
    for (String used : new String[] {"sum and normed", "normed", "sum"}) {
      Shape[] inputs =
          used.equals("sum")
              ? new Shape[] {s(3, 7), s(3, 7)}
              : new Shape[] {s(3, 7), s(3, 7), s(7), s(7)};
      out.add(of("addLayerNorm " + used, s(3, 7), (f, x, t) -> residual(f, x, used, t), inputs));
    }
  }

  private static Tensor residual(Flow f, List<Tensor> x, String used, Trial t) {
    boolean sumOnly = used.equals("sum");
    Tensor gamma = sumOnly ? t.normal("gamma", 7) : x.get(2);
    Tensor beta = sumOnly ? null : x.get(3);
    Flow.Residual r = f.addLayerNorm(x.get(0), x.get(1), gamma, beta, EPSILON);
    return switch (used) {
      case "sum" -> r.sum();
      case "normed" -> r.normed();
      default -> f.add(r.sum(), r.normed());
    };
  }

  private static void embeddings(List<FlowFunction> out) {
    Flow.Learned yes = Flow.Learned.YES;
    out.add(
        of(
            "embed",
            s(2, 3, 5),
            (f, x, t) -> f.embed(ids(t), x.get(0), x.get(1), zeros(t, 2), yes),
            s(7, 5),
            s(3, 5)));
    out.add(
        of(
            "embed no places",
            s(2, 3, 5),
            (f, x, t) -> f.embed(ids(t), x.get(0), null, zeros(t, 2), Flow.Learned.NO),
            s(7, 5)));
    out.add(
        of(
            "embed fixed places",
            s(2, 3, 5),
            (f, x, t) ->
                f.embed(ids(t), x.get(0), t.normal("wpe", 3, 5), zeros(t, 2), Flow.Learned.NO),
            s(7, 5)));
    out.add(
        of(
            "selectRows",
            s(3, 5),
            (f, x, t) -> f.selectRows(x.get(0), t.ints("rows", s(3), 5, 0, 5)),
            s(2, 3, 5)));
  }

  private static Tensor ids(Trial t) {
    return t.ints("ids", s(2, 3), 1, 6, 1, 0, 1, 6);
  }

  private static Tensor zeros(Trial t, int batch) {
    return t.ints("positions", s(batch), new int[batch]);
  }

  private static void heads(List<FlowFunction> out) {
    out.add(
        of(
            "splitHeads",
            s(2, 3, 3, 5),
            (f, x, t) -> {
              Flow.Heads h = f.splitHeads(x.get(0), 3, null, null, zeros(t, 2));
              return f.add(f.add(h.q(), h.k()), f.add(h.k(), h.v()));
            },
            s(2, 3, 45)));
    out.add(
        of(
            "splitHeads values only",
            s(2, 3, 3, 5),
            (f, x, t) -> f.splitHeads(x.get(0), 3, null, null, zeros(t, 2)).v(),
            s(2, 3, 45)));
    out.add(of("mergeHeads", s(2, 3, 20), (f, x, t) -> f.mergeHeads(x.get(0)), s(2, 4, 3, 5)));
  }

  private static void attention(List<FlowFunction> out) {
    Object[][] kinds = {
      {"causal", Mask.CAUSAL, 0f},
      {"open", Mask.FULL, 0f},
      {"banded", Mask.banded(2), 0f},
      {"dropout", Mask.CAUSAL, 0.3f},
    };
    for (Object[] kind : kinds) {
      Mask mask = (Mask) kind[1];
      float dropout = (Float) kind[2];
      out.add(attention("attention " + kind[0], mask, dropout, 4, null));
      out.add(attention("attention queries fewer " + kind[0], mask, dropout, 3, null));
      out.add(attention("attention ragged " + kind[0], mask, dropout, 3, new int[] {-1, 2}));
    }
  }

  private static FlowFunction attention(
      String name, Mask mask, float dropout, int queries, int @Nullable [] at) {
    return of(
        name,
        s(2, 3, queries, 5),
        (f, x, t) -> {
          Tensor positions = t.ints("positions", s(2), at == null ? new int[2] : at);
          return f.attention(x.get(0), x.get(1), x.get(2), mask, dropout, positions);
        },
        s(2, 3, queries, 5),
        s(2, 3, 4, 5),
        s(2, 3, 4, 5));
  }
}
