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
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Ladder;

/// What lies between the two products of attention: scale, causal mask and softmax of 12 heads'
/// scores, T x T each. In one kernel, and in three.
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
public class SoftmaxBenchmark {
  static final int HEADS = 12;

  private static final float SCALE = 0.125f;

  /// Where to compute.
  @Param("cpu")
  public String backend = "cpu";

  /// `fused`: the backend's masked softmax; `three-kernels`: the ladder's scale, mask and softmax,
  /// on devices.
  @Param({"three-kernels", "fused"})
  public String implementation = "fused";

  /// T, the context length.
  @Param({"128", "256", "512", "1024", "2048"})
  public int context = 128;

  private @Nullable Setting setting;

  /// For JMH.
  public SoftmaxBenchmark() {}

  /// Everything that one trial needs.
  private record Setting(
      Backend device, Scope scope, Tensor y, Tensor lse, Tensor x, Tensor positions) {}

  /// Opens the backend, makes inputs, checks the result.
  @Setup(Level.Trial)
  public void open() {
    Backend device = Backends.open(Settings.load().withBackend(backend));
    Scope scope = device.open("benchmark");
    Shape shape = Shape.of(1, HEADS, context, context);
    Setting s =
        new Setting(
            device,
            scope,
            scope.allocate(DType.F32, shape),
            scope.floats(1, HEADS, context),
            scope.allocate(DType.F32, shape),
            scope.allocate(DType.I32, Shape.of(1)));
    float[] x = AttentionCheck.inputs(Math.toIntExact(shape.elements()), 1);
    device.upload(s.x(), x);
    device.upload(s.positions(), 0);
    setting = s;
    PeakMemory.measure(device, this::softmax);
    AttentionCheck.verifySoftmax(device.floats(s.y()), x, context, SCALE);
  }

  /// Computes it once and waits for it.
  @Benchmark
  public void softmax() {
    Setting s = setting;
    if (s == null) {
      throw new IllegalStateException("not set up");
    }
    switch (implementation) {
      case "fused" ->
          s.device()
              .ops()
              .maskedSoftmax(
                  s.y(), s.lse(), s.x(), AttentionSpec.of(Mask.CAUSAL, SCALE), s.positions());
      case "three-kernels" ->
          Ladder.unfusedMaskedSoftmax((DeviceBackend) s.device(), s.y(), s.x(), SCALE);
      default -> throw new IllegalArgumentException("no implementation is named " + implementation);
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
