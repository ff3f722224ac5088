package org.quern.cuda;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.KernelTime;
import org.quern.core.Mask;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.kernels.CudaDeviceOps;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Tuning;
import org.quern.tck.OpCase;
import org.quern.tck.OpCases;
import org.quern.tck.Speed;
import org.quern.tck.Trial;

/// What each kernel must move and compute at the sizes of GPT-2 small, and how long that takes at
/// least on some GPUs: the roofline, by arithmetic.
final class Roofline {
  /// A GPU's peaks, from its maker's data sheet: dense, with F32 sums.
  ///
  /// @param name as people know it
  /// @param bandwidth bytes per second
  /// @param f32 FLOP/s of F32
  /// @param half FLOP/s of tensor cores on BF16 and F16
  private record Gpu(String name, double bandwidth, double f32, double half) {}

  private static final List<Gpu> GPUS =
      List.of(
          new Gpu("A100 80 GB", 2039e9, 19.5e12, 312e12),
          new Gpu("H100 SXM", 3350e9, 66.9e12, 989.4e12),
          new Gpu("RTX 4090", 1008e9, 82.6e12, 165.2e12));

  private static final CudaDeviceOps.Features FEATURES = new CudaDeviceOps.Features(80, false);

  private Roofline() {}

  /// {@return the table, in Markdown}
  static String table() {
    StringBuilder out = new StringBuilder("| kernel | call | MB | GFLOP | FLOP/B |");
    GPUS.forEach(g -> out.append(" %s, us |".formatted(g.name)));
    out.append("\n|---|---|---:|---:|---:|").append("---:|".repeat(GPUS.size())).append('\n');
    for (OpCase call : calls()) {
      costs(call).forEach((kernel, cost) -> out.append(row(kernel, call.name(), cost)));
    }
    return out.toString();
  }

  private static List<OpCase> calls() {
    List<OpCase> out = new ArrayList<>(OpCases.forSpeed());
    for (int size : new int[] {64, 128}) {
      for (int context : new int[] {1024, 8192}) {
        out.add(attention(size, context));
      }
    }
    return out;
  }

  /// Forward and backward on 16k tokens of width 2,048, as in the charts of FlashAttention.
  private static OpCase attention(int size, int context) {
    Shape shape = Shape.of(16384 / context, 2048 / size, context, size);
    return new OpCase(
        "attention",
        "BF16 %s causal, both ways".formatted(shape),
        List.of(DType.BF16),
        0,
        OpCase.Need.OPTIONAL,
        OpCase.Precision.ROUNDED,
        t -> prepare(t, shape));
  }

  private static Runnable prepare(Trial t, Shape shape) {
    long[] dims = shape.toArray();
    Tensor q = t.output("q", DType.BF16, dims);
    Tensor k = t.output("k", DType.BF16, dims);
    Tensor v = t.output("v", DType.BF16, dims);
    Tensor y = t.output("y", DType.BF16, dims);
    Tensor dy = t.output("dy", DType.BF16, dims);
    Tensor lse = t.output("lse", dims[0], dims[1], dims[2]);
    Tensor positions = t.output("positions", DType.I32, dims[0]);
    Sink dq = Sink.set(t.output("dq", DType.BF16, dims));
    Sink dk = Sink.set(t.output("dk", DType.BF16, dims));
    Sink dv = Sink.set(t.output("dv", DType.BF16, dims));
    AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, 0.125f);
    return () -> {
      try (Scope scratch = t.backend().open("call")) {
        t.ops().attention(y, lse, q, k, v, spec, positions, scratch);
        t.ops().attentionBackward(dq, dk, dv, dy, y, lse, q, k, v, spec, positions, scratch);
      }
    };
  }

  /// {@return what one launch of each kernel of a call costs}
  private static Map<String, KernelTime> costs(OpCase call) {
    Map<String, KernelTime> out = new LinkedHashMap<>();
    try (Backend backend =
        new DeviceBackend(
            new NullAccelerator(),
            Settings.load().withProfile(true),
            Tuning.gpu(),
            context -> new CudaDeviceOps(context, FEATURES))) {
      Speed ignored = Speed.measure(backend, call);
      backend.kernelTimes().stream()
          .filter(k -> !k.kernel().equals("fill"))
          .sorted((a, b) -> a.kernel().compareTo(b.kernel()))
          .forEach(k -> out.put(k.kernel(), k));
    }
    return out;
  }

  private static String row(String kernel, String call, KernelTime time) {
    double bytes = time.bytes() / time.calls();
    double flops = time.flops() / time.calls();
    StringBuilder out = new StringBuilder();
    out.append(
        String.format(
            Locale.ROOT,
            "| `%s` | %s | %.3g | %.3g | %.3g |",
            kernel,
            call,
            bytes * 1e-6,
            flops * 1e-9,
            flops / bytes));
    for (Gpu g : GPUS) {
      double compute = flops / (kernel.contains("mma") ? g.half : g.f32);
      double memory = bytes / g.bandwidth;
      out.append(
          String.format(
              Locale.ROOT,
              " %.3g %s |",
              Math.max(compute, memory) * 1e6,
              compute > memory ? "compute" : "memory"));
    }
    return out.append('\n').toString();
  }
}
