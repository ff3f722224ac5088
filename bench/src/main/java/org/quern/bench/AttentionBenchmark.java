package org.quern.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.Compositions;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Ops;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.kernels.DeviceBackend;

/// Attention of one text at GPT-2's width of 768, over the context length: every way that a backend
/// has, forward, and forward with backward.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class AttentionBenchmark extends DeviceBenchmark {
  private static final int WIDTH = 768;

  /// The band of the banded mask.
  private static final int WINDOW = 256;

  /// Sums of 64 or 128 products and up to 16384 weights, each rounded to f32.
  private static final double TOLERANCE = 2e-5;

  private static final String FORWARD = "forward";
  private static final String BOTH = "forward+backward";
  private static final String LOOPS = "loops";
  private static final String THREE = "three-kernels";
  private static final String UNFUSED = "unfused";
  private static final String FLASH = "flash";
  private static final String F32 = "f32";
  private static final String CAUSAL = "causal";

  private static final int LONGEST_LOOPS = 2048;
  private static final int LONGEST_MATRIX = 4096;

  /// Which points to measure.
  public static final Study STUDY =
      new Study(
          "attention",
          "Attention over the context length",
          "One text, width 768 (12 heads of 64 or 6 of 128). GFLOP: 4 D a visible pair and head,"
              + " half of T x T when causal; the backward 2.5 times the forward. `loops`: three"
              + " loops, no matrix (on the CPU plain Java, one thread); `three-kernels`: product,"
              + " scale, mask, softmax, product; `unfused`: product, fused masked softmax, product;"
              + " `flash`: the backend's own, without the matrix. Memory is beyond inputs and"
              + " outputs.",
          AttentionBenchmark.class,
          List.of(
              Study.facet("pass", FORWARD, BOTH).or(),
              Study.facet("mask", CAUSAL).or("banded"),
              Study.facet("head", "64").or("128"),
              Study.series("storage", F32).or("bf16", "f16"),
              Study.x("context", "128", "256", "512", "1024", "2048", "4096", "8192", "16384"),
              Study.series(
                      "implementation", LOOPS, "triangular", THREE, UNFUSED, "tiled-flash", FLASH)
                  .or()),
          AttentionBenchmark::measured);

  /// `forward` or `forward+backward`.
  @Param({FORWARD, BOTH})
  public String pass = FORWARD;

  /// `causal`, or `banded`: causal, and the last 256 keys only.
  @Param({CAUSAL, "banded"})
  public String mask = CAUSAL;

  /// D, the size of a head.
  @Param({"64", "128"})
  public int head = 64;

  /// `f32`; on devices also `bf16` and `f16`.
  @Param(F32)
  public String storage = F32;

  /// T, the context length.
  @Param({"128", "256", "512", "1024", "2048", "4096", "8192", "16384"})
  public int context = 128;

  /// See [#STUDY]; `triangular` and `tiled-flash` are rungs of the ladder, on devices.
  @Param({LOOPS, THREE, UNFUSED, FLASH})
  public String implementation = FLASH;

  private @Nullable Data data;
  private float[][] host = {}; // q, k, v, dy: (H, T, D) as stored
  private float[] hostY = {}; // of the loops that need no device

  /// For JMH.
  public AttentionBenchmark() {}

  /// Everything that one trial needs.
  private record Data(
      List<Tensor> in, // q, k, v, dy
      List<Sink> gradients, // of q, k, v
      Tensor y,
      Tensor lse,
      Tensor positions,
      AttentionSpec spec,
      @Nullable ThreeKernels three,
      Tensor f32) {}

  /// {@return whether a combination can be measured in reasonable time and memory}
  private static boolean measured(Machine m, Study.Point p) {
    int t = p.number("context");
    boolean production = List.of(UNFUSED, FLASH).contains(p.get("implementation"));
    boolean plain =
        p.get("pass").equals(FORWARD)
            && p.get("mask").equals(CAUSAL)
            && p.get("storage").equals(F32);
    return (m.hasLadder() || p.get("storage").equals(F32))
        && (production || plain)
        && switch (p.get("implementation")) {
          case LOOPS -> t <= LONGEST_LOOPS;
          case THREE, UNFUSED -> t <= LONGEST_MATRIX;
          case "triangular", "tiled-flash" ->
              m.hasLadder() && t <= LONGEST_LOOPS && p.get("head").equals("64");
          default -> true;
        };
  }

  /// Opens the backend, makes inputs, checks the result.
  @Setup(Level.Trial)
  public void open() {
    Backend device = open(Precision.F32);
    int heads = WIDTH / head;
    Shape shape = Shape.of(1, heads, context, head);
    int n = Math.toIntExact(shape.elements());
    Tensor f32 = scope().allocate(DType.F32, shape);
    DType dtype = Study.dtype(storage);
    List<Tensor> in = new ArrayList<>();
    host = new float[4][];
    for (int i = 0; i < host.length; i++) {
      Tensor x = scope().allocate(dtype, shape);
      device.upload(f32, Inputs.floats(n, i + 1));
      device.ops().convert(x, f32);
      host[i] = floats(x, f32); // as rounded
      in.add(x);
    }
    Tensor lse = scope().floats(1, heads, context);
    Tensor positions = scope().allocate(DType.I32, Shape.of(1));
    device.upload(positions, 0);
    List<Sink> gradients =
        Stream.generate(() -> Sink.set(scope().allocate(dtype, shape))).limit(3).toList();
    Shape scores = shape.withLast(context);
    Mask seen = mask.equals(CAUSAL) ? Mask.CAUSAL : Mask.banded(WINDOW);
    ThreeKernels three =
        implementation.equals(THREE)
            ? new ThreeKernels(device, scores, lse, positions, scope())
            : null;
    hostY = new float[implementation.equals(LOOPS) && !(device instanceof DeviceBackend) ? n : 0];
    Data made =
        new Data(
            in,
            gradients,
            scope().allocate(dtype, shape),
            lse,
            positions,
            AttentionSpec.of(seen, (float) (1 / Math.sqrt(head))),
            three,
            f32);
    data = made;
    double memory = Work.peak(device, this::attention);
    verify(made, seen, heads);
    WorkProfiler.tell(work(seen, heads, dtype).withMemory(memory));
  }

  private Work work(Mask seen, int heads, DType dtype) {
    double t = context;
    double w = Math.min(t, seen.window());
    double pairs = t * w - w * w / 2; // T T / 2 without a band
    double passes = pass.equals(BOTH) ? 3.5 : 1;
    double tensors = pass.equals(BOTH) ? 12 : 4; // q k v y; again, with dy, dq, dk, dv
    return Work.of(4 * head * heads * pairs * passes, tensors * dtype.bytes() * t * WIDTH);
  }

  private void verify(Data s, Mask seen, int heads) {
    double tolerance =
        switch (s.y().dtype()) {
          case BF16 -> 0x1p-6; // weights and results keep 8 bits
          case F16 -> 0x1p-9; // 11 bits
          default -> TOLERANCE;
        };
    AttentionCheck check =
        new AttentionCheck(host[0], host[1], host[2], heads, context, head, seen);
    check.forward(hostY.length > 0 ? hostY : floats(s.y(), s.f32()), tolerance);
    if (pass.equals(BOTH)) {
      float[] dq = floats(s.gradients().get(0).tensor(), s.f32());
      float[] dk = floats(s.gradients().get(1).tensor(), s.f32());
      float[] dv = floats(s.gradients().get(2).tensor(), s.f32());
      check.backward(dq, dk, dv, host[3], tolerance);
    }
  }

  private float[] floats(Tensor x, Tensor f32) {
    device().ops().convert(f32, x);
    return device().floats(f32);
  }

  /// Computes attention once and waits for it.
  @Benchmark
  public void attention() {
    Data s = require(data);
    try (Scope scratch = device().open("attention")) {
      forward(s, scratch);
      if (pass.equals(BOTH)) {
        backward(s, scratch);
      }
      device().sync();
    }
  }

  private void forward(Data s, Scope scratch) {
    Backend b = device();
    Tensor q = s.in().get(0);
    Tensor k = s.in().get(1);
    Tensor v = s.in().get(2);
    switch (implementation) {
      case FLASH -> b.ops().attention(s.y(), s.lse(), q, k, v, s.spec(), s.positions(), scratch);
      case UNFUSED ->
          Compositions.attention(
              b.ops(), s.y(), s.lse(), q, k, v, s.spec(), s.positions(), scratch);
      case THREE -> {
        Tensor p = scratch.allocate(DType.F32, q.shape().withLast(context));
        b.ops().matmul(Sink.set(p), q, Trans.N, k, Trans.T, 1);
        require(s.three()).run(p, p, s.spec().scale());
        b.ops().matmul(Sink.set(s.y()), p, Trans.N, v, Trans.N, 1);
      }
      default -> {
        if (!AttentionLadder.rungs(b).isEmpty()) {
          AttentionLadder.run(b, implementation, s.y(), q, k, v, s.spec().scale(), scratch);
        } else if (implementation.equals(LOOPS)) {
          ScalarLoops.attention(
              hostY, host[0], host[1], host[2], WIDTH / head, context, head, s.spec().scale());
        } else {
          throw new IllegalArgumentException(
              "no implementation on %s is named %s".formatted(backend, implementation));
        }
      }
    }
  }

  private void backward(Data s, Scope scratch) {
    Ops ops = device().ops();
    Sink dq = s.gradients().get(0);
    Sink dk = s.gradients().get(1);
    Sink dv = s.gradients().get(2);
    Tensor q = s.in().get(0);
    Tensor k = s.in().get(1);
    Tensor v = s.in().get(2);
    Tensor dy = s.in().get(3);
    AttentionSpec spec = s.spec();
    Tensor at = s.positions();
    switch (implementation) {
      case FLASH ->
          ops.attentionBackward(dq, dk, dv, dy, s.y(), s.lse(), q, k, v, spec, at, scratch);
      case UNFUSED ->
          Compositions.attentionBackward(
              ops, dq, dk, dv, dy, s.y(), s.lse(), q, k, v, spec, at, scratch);
      default -> throw new IllegalArgumentException("no backward of " + implementation);
    }
  }
}
