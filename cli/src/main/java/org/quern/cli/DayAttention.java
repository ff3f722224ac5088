package org.quern.cli;

import java.util.ArrayList;
import java.util.List;
import org.quern.bench.AttentionLadder;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.Compositions;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.tck.OpCase;
import org.quern.tck.Trial;

/// Attention over context lengths, forward, and forward with backward, in every way that there is.
final class DayAttention {
  private static final int[] HEAD_SIZES = {64, 128};

  private final DayPlan plan;
  private final DayTimer timer;
  private final DayReport.Table table;

  /// @param plan the sizes
  /// @param timer times a call, and tells of it
  /// @param table takes the rows
  DayAttention(DayPlan plan, DayTimer timer, DayReport.Table table) {
    this.plan = plan;
    this.timer = timer;
    this.table = table;
  }

  static DayReport.Table table(DayPlan plan) {
    return DayReport.Table.of(
        "Attention",
        ("Causal, %d tokens a call in texts of T, H D = %d. FLOPs: 4 B H T T D, halved for the"
                + " mask; the backward 2.5 times that. Unfused: product, masked softmax, product,"
                + " with the matrix in memory.")
            .formatted(plan.tokens(), plan.width()),
        "way",
        "storage",
        "D",
        "T",
        "direction",
        "milliseconds",
        "TFLOP/s");
  }

  private static final String UNFUSED = "unfused";
  private static final String FUSED = "fused";

  /// Measures all of it on an opened device.
  ///
  /// @param backend where
  /// @param label what else tells these rows from others
  /// @param storages of the tensors
  void run(Backend backend, String label, List<DType> storages) {
    for (int size : HEAD_SIZES) {
      for (int context : plan.contexts()) {
        for (DType dtype : storages) {
          for (String way : List.of(UNFUSED, FUSED)) {
            row(backend, way, label, new Point(dtype, size, context, Direction.FORWARD));
            row(backend, way, label, new Point(dtype, size, context, Direction.BOTH));
          }
        }
        if (size == HEAD_SIZES[0] && context <= plan.ladderUpTo() && label.isEmpty()) {
          for (String rung : AttentionLadder.rungs(backend)) {
            row(backend, rung, "", new Point(DType.F32, size, context, Direction.FORWARD));
          }
        }
      }
    }
  }

  private enum Direction {
    FORWARD,
    BOTH;

    @Override
    public String toString() {
      return this == BOTH ? "forward and backward" : "forward";
    }
  }

  private record Point(DType dtype, int size, int context, Direction direction) {
    double flops(Shape shape) {
      double forward = 2.0 * shape.elements() * context;
      return direction == Direction.BOTH ? 3.5 * forward : forward;
    }

    @Override
    public String toString() {
      return "%s D=%d T=%d %s".formatted(dtype, size, context, direction);
    }
  }

  private void row(Backend backend, String way, String label, Point p) {
    int batch = Math.max(1, plan.tokens() / p.context());
    Shape shape = Shape.of(batch, plan.width() / p.size(), p.context(), p.size());
    String name = way + label;
    OpCase call =
        new OpCase(
            "attention",
            name + " " + p,
            List.of(p.dtype()),
            p.flops(shape),
            OpCase.Need.OPTIONAL,
            OpCase.Precision.ROUNDED,
            t -> prepare(t, way, p, shape));
    List<Object> cells =
        new ArrayList<>(List.of(name, p.dtype(), p.size(), p.context(), p.direction()));
    timer.time(
        backend,
        call,
        s -> cells.addAll(List.of(s.seconds() * 1e3, s.gigaflops() * 1e-3)),
        why -> cells.addAll(List.of(why, "")));
    table.add(cells.toArray());
  }

  private static Runnable prepare(Trial t, String way, Point p, Shape shape) {
    long[] dims = shape.toArray();
    DType dtype = p.dtype();
    Tensor q = t.normal("q", dtype, dims);
    Tensor k = t.normal("k", dtype, dims);
    Tensor v = t.normal("v", dtype, dims);
    Tensor y = t.output("y", dtype, dims);
    Tensor lse = t.output("lse", dims[0], dims[1], dims[2]);
    Tensor positions = t.ints("positions", Shape.of(dims[0]), new int[Math.toIntExact(dims[0])]);
    AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, (float) (1 / Math.sqrt(dims[3])));
    Io io = new Io(t.backend(), way, q, k, v, y, lse, positions, spec);
    if (p.direction() == Direction.FORWARD) {
      return io::forward;
    }
    Tensor dy = t.normal("dy", dtype, dims);
    Sink dq = Sink.set(t.output("dq", dtype, dims));
    Sink dk = Sink.set(t.output("dk", dtype, dims));
    Sink dv = Sink.set(t.output("dv", dtype, dims));
    return () -> {
      io.forward();
      io.backward(dq, dk, dv, dy);
    };
  }

  /// What a call works on.
  private record Io(
      Backend backend,
      String way,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor y,
      Tensor lse,
      Tensor positions,
      AttentionSpec spec) {
    void forward() {
      try (Scope scratch = backend.open("attention")) {
        switch (way) {
          case UNFUSED ->
              Compositions.attention(backend.ops(), y, lse, q, k, v, spec, positions, scratch);
          case FUSED -> backend.ops().attention(y, lse, q, k, v, spec, positions, scratch);
          default -> AttentionLadder.run(backend, way, y, q, k, v, spec.scale(), scratch);
        }
      }
    }

    void backward(Sink dq, Sink dk, Sink dv, Tensor dy) {
      try (Scope scratch = backend.open("attention backward")) {
        if (way.equals(UNFUSED)) {
          Compositions.attentionBackward(
              backend.ops(), dq, dk, dv, dy, y, lse, q, k, v, spec, positions, scratch);
        } else {
          backend
              .ops()
              .attentionBackward(dq, dk, dv, dy, y, lse, q, k, v, spec, positions, scratch);
        }
      }
    }
  }
}
