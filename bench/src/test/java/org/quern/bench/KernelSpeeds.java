package org.quern.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.quern.core.Activation;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// One process of [JitGuardTest]: measures how fast each kernel of the CPU backend is, beside
/// multiply-adds in registers. Times are those of the one thread that works, which other processes
/// hardly change; each is the best of several.
final class KernelSpeeds {
  /// All kernels in turns, before anything counts: what a JIT needs that competes with others.
  private static final long WARM_UP = 4_000_000_000L;

  private static final int ROUNDS = 10;
  private static final long SLICE = 4_000_000;
  private static final int PROBE_ROUNDS = 2_000;

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private static volatile float kept;

  private final Backend backend;
  private final Scope scope;
  private final Map<String, Kernel> kernels;
  private int seed;

  private KernelSpeeds(Backend backend, Scope scope, Map<String, Kernel> kernels) {
    this.backend = backend;
    this.scope = scope;
    this.kernels = kernels;
  }

  /// @param work multiply-adds of a call; elements, for kernels that are not made of them
  private record Kernel(double work, Runnable call) {}

  /// Writes a line for each kernel: its name, a tab, its work a second over the probe's.
  ///
  /// @param args the file that takes them
  public static void main(String[] args) throws IOException {
    Settings settings = Settings.load().withBackend("cpu").withThreads(1).withDebug(false);
    Map<String, Kernel> kernels = new LinkedHashMap<>();
    try (Backend f32 = Backends.open(settings.withPrecision(Precision.F32));
        Backend bf16 = Backends.open(settings.withPrecision(Precision.BF16));
        Backend q8 = Backends.open(settings.withPrecision(Precision.Q8));
        Scope scope = f32.open("f32");
        Scope half = bf16.open("bf16");
        Scope eight = q8.open("q8")) {
      KernelSpeeds speeds = new KernelSpeeds(f32, scope, kernels);
      speeds.products("f32");
      new KernelSpeeds(bf16, half, kernels).products("bf16");
      new KernelSpeeds(q8, eight, kernels).products("q8");
      speeds.packed();
      speeds.attention("attention T=128", 128, 128, false);
      speeds.attention("attention T=512", 512, 512, false);
      speeds.attention("attention backward T=128", 128, 128, true);
      speeds.attention("decode S=1 T=512", 1, 512, false);
      speeds.attention("decode S=4 T=512", 4, 512, false);
      speeds.rows();
      Files.write(Path.of(args[0]), measure(kernels));
    }
  }

  private Tensor tensor(long... dims) {
    Tensor x = scope.allocate(DType.F32, Shape.of(dims));
    backend.upload(x, Inputs.floats(Math.toIntExact(x.elements()), ++seed));
    return x;
  }

  /// With prepared weights that fit the caches: memory is no part of this.
  private void products(String precision) {
    int k = 768;
    int n = 384;
    Tensor w = backend.prepare(tensor(n, k), scope);
    Tensor bias = tensor(n);
    for (int m : new int[] {1, 2, 4, 8, 17, 96}) {
      Tensor x = tensor(m, k);
      Tensor y = tensor(m, n);
      Runnable call = () -> backend.ops().linear(y, y, x, w, bias, Activation.NONE);
      kernels.put("%s product M=%d".formatted(precision, m), new Kernel((double) m * n * k, call));
    }
  }

  /// With packing.
  private void packed() {
    int size = 256;
    Tensor a = tensor(size, size);
    Tensor b = tensor(size, size);
    Sink c = Sink.set(tensor(size, size));
    for (Trans t : Trans.values()) {
      kernels.put(
          "matmul N" + t,
          new Kernel(Math.pow(size, 3), () -> backend.ops().matmul(c, a, Trans.N, b, t, 1)));
    }
  }

  private void attention(String name, int queries, int keys, boolean backward) {
    int h = 4;
    int d = 64;
    Tensor q = tensor(1, h, queries, d);
    Tensor k = tensor(1, h, keys, d);
    Tensor v = tensor(1, h, keys, d);
    Tensor y = tensor(1, h, queries, d);
    Tensor lse = scope.floats(1, h, queries);
    Tensor positions = positions(keys - queries);
    AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, 0.125f);
    double pairs = h * (double) queries * (keys - (queries - 1) / 2.0);
    Runnable forward =
        () -> {
          try (Scope scratch = backend.open("attention")) {
            backend.ops().attention(y, lse, q, k, v, spec, positions, scratch);
          }
        };
    if (!backward) {
      kernels.put(name, new Kernel(2 * d * pairs, forward));
      return;
    }
    forward.run();
    Tensor dy = tensor(1, h, queries, d);
    Sink dq = Sink.set(tensor(1, h, queries, d));
    Sink dk = Sink.set(tensor(1, h, keys, d));
    Sink dv = Sink.set(tensor(1, h, keys, d));
    Runnable call =
        () -> {
          try (Scope scratch = backend.open("attention")) {
            backend
                .ops()
                .attentionBackward(dq, dk, dv, dy, y, lse, q, k, v, spec, positions, scratch);
          }
        };
    kernels.put(name, new Kernel(5 * d * pairs, call));
  }

  private Tensor positions(int first) {
    Tensor positions = scope.allocate(DType.I32, Shape.of(1));
    backend.upload(positions, first);
    return positions;
  }

  /// Kernels that go over rows once or twice.
  private void rows() {
    int n = 64;
    int c = 768;
    Tensor x = tensor(n, c);
    Tensor y = tensor(n, c);
    Tensor mean = scope.floats(n);
    Tensor rstd = scope.floats(n);
    Tensor gamma = tensor(c);
    Tensor beta = tensor(c);
    double all = (double) n * c;
    kernels.put(
        "layerNorm",
        new Kernel(all, () -> backend.ops().layerNorm(y, mean, rstd, x, gamma, beta, 1e-5f)));
    kernels.put(
        "GELU",
        new Kernel(all, () -> backend.ops().biasActivation(y, x, null, Activation.GELU_TANH)));
    Tensor scores = tensor(1, 1, 256, 256);
    Tensor weights = tensor(1, 1, 256, 256);
    Tensor lse = scope.floats(1, 1, 256);
    Tensor positions = positions(0);
    AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, 1);
    kernels.put(
        "softmax",
        new Kernel(
            256 * 128, () -> backend.ops().maskedSoftmax(weights, lse, scores, spec, positions)));
  }

  private static List<String> measure(Map<String, Kernel> kernels) {
    for (long start = now(); now() - start < WARM_UP; ) {
      kernels.values().forEach(k -> slice(k.call()));
      probe();
    }
    Map<String, Double> best = new LinkedHashMap<>();
    double peak = 0;
    for (int round = 0; round < ROUNDS; round++) {
      for (var k : kernels.entrySet()) {
        best.merge(k.getKey(), k.getValue().work() / slice(k.getValue().call()), Math::max);
        peak = Math.max(peak, probe());
      }
    }
    List<String> lines = new ArrayList<>();
    for (var b : best.entrySet()) {
      lines.add(
          "%s\t%s".formatted(b.getKey(), String.format(Locale.ROOT, "%.5f", b.getValue() / peak)));
    }
    return lines;
  }

  private static long now() {
    return THREADS.getCurrentThreadCpuTime();
  }

  /// {@return the time of a call, which is made for a while}
  private static double slice(Runnable call) {
    long start = now();
    long time = 0;
    int calls = 0;
    while (time < SLICE) {
      call.run();
      calls++;
      time = now() - start;
    }
    return (double) time / calls;
  }

  /// {@return multiply-adds in registers for each unit of time}
  private static double probe() {
    double time = slice(() -> kept = CeilingBenchmark.fma(PROBE_ROUNDS, 0.5f));
    return CeilingBenchmark.fmas(PROBE_ROUNDS) / time;
  }
}
