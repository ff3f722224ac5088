package org.quern.bench;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Precision;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// What lies between the two products of attention: scale, causal mask and softmax of 12 heads'
/// scores, T x T each. In one kernel, and in three.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class SoftmaxBenchmark extends DeviceBenchmark {
  private static final int HEADS = 12;
  private static final float SCALE = 0.125f;

  /// Relative: an exponential, a sum and a division in f32.
  private static final double TOLERANCE = 2e-5;

  private static final String FUSED = "fused";
  private static final String THREE = "three-kernels";

  /// Which points to measure.
  public static final Study STUDY =
      new Study(
          "softmax",
          "Masked softmax over the context length",
          "Scale, causal mask and softmax of 12 x T x T scores, f32: in one kernel, and in three"
              + " passes over the matrix. GB: as if it were read once and written once.",
          SoftmaxBenchmark.class,
          List.of(
              Study.x("context", "128", "256", "512", "1024", "2048"),
              Study.series("implementation", THREE, FUSED).or()),
          (machine, point) -> true);

  /// `fused`: the backend's masked softmax; `three-kernels`: scale, mask and softmax.
  @Param({THREE, FUSED})
  public String implementation = FUSED;

  /// T, the context length.
  @Param({"128", "256", "512", "1024", "2048"})
  public int context = 128;

  private @Nullable Data data;

  /// For JMH.
  public SoftmaxBenchmark() {}

  /// Everything that one trial needs.
  private record Data(Tensor y, Tensor lse, Tensor x, Tensor positions, ThreeKernels three) {}

  /// Opens the backend, makes inputs, checks the result.
  @Setup(Level.Trial)
  public void open() {
    Backend device = open(Precision.F32);
    Shape shape = Shape.of(1, HEADS, context, context);
    Tensor lse = scope().floats(1, HEADS, context);
    Tensor positions = scope().allocate(DType.I32, Shape.of(1));
    Tensor x = scope().allocate(DType.F32, shape);
    float[] values = Inputs.floats(Math.toIntExact(shape.elements()), 1);
    device.upload(x, values);
    device.upload(positions, 0);
    data =
        new Data(
            scope().allocate(DType.F32, shape),
            lse,
            x,
            positions,
            new ThreeKernels(device, shape, lse, positions, scope()));
    double memory = Work.peak(device, this::softmax);
    verify(device.floats(data.y()), values);
    double bytes = 2.0 * shape.elements() * Float.BYTES;
    WorkProfiler.tell(Work.of(Double.NaN, bytes).withMemory(memory));
  }

  private void verify(float[] y, float[] x) {
    int t = context;
    for (int head : new int[] {0, HEADS - 1}) {
      for (int row : Inputs.places(t)) {
        int from = (head * t + row) * t;
        double total = 0;
        for (int j = 0; j <= row; j++) {
          total += Math.exp((double) x[from + j] * SCALE);
        }
        for (int j = 0; j < t; j++) {
          double want = j <= row ? Math.exp((double) x[from + j] * SCALE) / total : 0;
          if (!(Math.abs(y[from + j] - want) <= TOLERANCE * want)) {
            throw new IllegalStateException(
                "wrong softmax: head %d, row %d, column %d: expected %s, found %s"
                    .formatted(head, row, j, want, y[from + j]));
          }
        }
      }
    }
  }

  /// Computes it once and waits for it.
  @Benchmark
  public void softmax() {
    Data s = require(data);
    switch (implementation) {
      case FUSED ->
          device()
              .ops()
              .maskedSoftmax(
                  s.y(), s.lse(), s.x(), AttentionSpec.of(Mask.CAUSAL, SCALE), s.positions());
      case THREE -> s.three().run(s.y(), s.x(), SCALE);
      default -> throw new IllegalArgumentException("no implementation is named " + implementation);
    }
    device().sync();
  }
}
