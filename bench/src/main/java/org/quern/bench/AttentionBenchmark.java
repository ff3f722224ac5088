package org.quern.bench;

import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Compositions;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// Causal attention, forward, GPT-2's 12 heads of 64: time over the context length.
///
/// The device is waited for inside the measured method, and the result of each implementation is
/// checked against float64 loops before it is timed.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 1,
    jvmArgsAppend = {
      "--add-modules=jdk.incubator.vector",
      "--enable-native-access=ALL-UNNAMED",
      "--sun-misc-unsafe-memory-access=allow"
    })
public class AttentionBenchmark {
  static final int HEADS = 12;
  static final int HEAD_SIZE = 64;

  /// Where to compute.
  @Param("cpu")
  public String backend = "cpu";

  /// `unfused`: product, masked softmax, product, with the T x T matrix in memory; `flash`: the
  /// backend's own attention. On devices also rungs of the ladder: `loops`, `triangular` (product,
  /// scale, mask, softmax, product: five kernels) and `tiled-flash`.
  @Param({"unfused", "flash"})
  public String implementation = "flash";

  /// T, the context length.
  @Param({"128", "256", "512", "1024", "2048", "4096"})
  public int context = 128;

  private @Nullable Setting setting;

  /// For JMH.
  public AttentionBenchmark() {}

  /// Everything that one trial needs.
  private record Setting(
      Backend device,
      Scope scope,
      Tensor y,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor positions,
      AttentionSpec spec) {}

  /// Opens the backend, makes inputs, checks the result.
  @Setup(Level.Trial)
  public void open() {
    Backend device = Backends.open(Settings.load().withBackend(backend));
    Scope scope = device.open("benchmark");
    Shape shape = Shape.of(1, HEADS, context, HEAD_SIZE);
    int n = Math.toIntExact(shape.elements());
    float[] q = AttentionCheck.inputs(n, 1);
    float[] k = AttentionCheck.inputs(n, 2);
    float[] v = AttentionCheck.inputs(n, 3);
    Setting s =
        new Setting(
            device,
            scope,
            scope.allocate(DType.F32, shape),
            scope.floats(1, HEADS, context),
            scope.allocate(DType.F32, shape),
            scope.allocate(DType.F32, shape),
            scope.allocate(DType.F32, shape),
            scope.allocate(DType.I32, Shape.of(1)),
            AttentionSpec.of(Mask.CAUSAL, (float) (1 / Math.sqrt(HEAD_SIZE))));
    device.upload(s.q(), q);
    device.upload(s.k(), k);
    device.upload(s.v(), v);
    device.upload(s.positions(), 0);
    setting = s;
    PeakMemory.measure(device, this::attention);
    AttentionCheck.verify(device.floats(s.y()), q, k, v, context);
  }

  /// Computes attention once and waits for it.
  @Benchmark
  public void attention() {
    Setting s = setting;
    if (s == null) {
      throw new IllegalStateException("not set up");
    }
    switch (implementation) {
      case "unfused" ->
          Compositions.attention(
              s.device().ops(),
              s.y(),
              s.lse(),
              s.q(),
              s.k(),
              s.v(),
              s.spec(),
              s.positions(),
              s.scope());
      case "flash" ->
          s.device()
              .ops()
              .attention(s.y(), s.lse(), s.q(), s.k(), s.v(), s.spec(), s.positions(), s.scope());
      default ->
          AttentionLadder.run(
              s.device(), implementation, s.y(), s.q(), s.k(), s.v(), s.spec().scale(), s.scope());
    }
    s.device().sync();
  }

  /// Closes the backend.
  @TearDown(Level.Trial)
  public void close() {
    if (setting != null) {
      setting.scope().close();
      setting.device().close();
      setting = null;
    }
  }
}
