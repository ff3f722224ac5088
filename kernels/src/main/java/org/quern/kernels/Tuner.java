package org.quern.kernels;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;
import org.quern.core.AttentionSpec;
import org.quern.core.DType;
import org.quern.core.DeviceException;
import org.quern.core.Mask;
import org.quern.core.Scope;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.kernels.Tuning.Tile;

/// Finds the sizes of kernels that are the fastest on a device: one after the other, each among a
/// few, at the shapes of a small GPT.
public final class Tuner {
  private static final int CALLS = 5;

  private final DeviceBackend backend;
  private final DeviceLimits limits;
  private final Consumer<String> progress;

  private Tuner(DeviceBackend backend, DeviceLimits limits, Consumer<String> progress) {
    this.backend = backend;
    this.limits = limits;
    this.progress = progress;
  }

  /// {@return the fastest sizes found}
  ///
  /// @param backend the device, which nobody else should use meanwhile
  /// @param progress hears a line for each thing measured
  public static Tuning tune(DeviceBackend backend, Consumer<String> progress) {
    return new Tuner(backend, backend.limits(), progress).search();
  }

  private Tuning search() {
    // The shape of the machine decides most: many narrow items, or few wide ones.
    Tuning t =
        best(
            "vectors",
            List.of(Tuning.gpu(), Tuning.cpu(8), Tuning.cpu(16)),
            ops -> product(ops) + attention(ops));
    int vector = t.vector();
    t = best("products", with(t, products(vector), Tuner::withMatmul), this::product);
    t = best("attention", with(t, heads(vector), Tuner::withFlash), this::attention);
    t = best("rows", with(t, rowGroups(vector), Tuner::withRowGroup), this::rows);
    List<Integer> groups = List.of(32, 64, 128, 256, 512);
    return best("elements", with(t, groups, Tuner::withElementGroup), this::elements);
  }

  // --- what is tried ---

  /// Wide vectors in many items a group, or narrow ones in one, are slow everywhere, and slow to
  /// compile.
  private static boolean narrow(int vector) {
    return vector == 4;
  }

  private static List<Tile> products(int vector) {
    return narrow(vector)
        ? List.of(
            new Tile(16, 16, 4, 1, 1, 16),
            new Tile(16, 16, 8, 1, 2, 16),
            new Tile(8, 16, 8, 1, 1, 16),
            new Tile(8, 8, 4, 1, 2, 32))
        : List.of(
            new Tile(1, 1, 12, 8, 2, 64),
            new Tile(1, 1, 6, 16, 2, 128),
            new Tile(1, 1, 4, 16, 2, 64));
  }

  private static List<Tile> heads(int vector) {
    return narrow(vector)
        ? List.of(
            new Tile(8, 8, 4, 1, 1, 1), new Tile(16, 8, 4, 1, 1, 1), new Tile(8, 4, 8, 1, 2, 1))
        : List.of(
            new Tile(1, 1, 6, 16, 4, 1), new Tile(1, 1, 8, 8, 2, 1), new Tile(1, 1, 4, 8, 2, 1));
  }

  private static List<Integer> rowGroups(int vector) {
    return narrow(vector) ? List.of(32, 64, 128, 256) : List.of(1, 4);
  }

  private interface Change<T> {
    Tuning apply(Tuning tuning, T value);
  }

  private static <T> List<Tuning> with(Tuning best, List<T> values, Change<T> change) {
    List<Tuning> out = new ArrayList<>();
    out.add(best);
    for (T value : values) {
      out.add(change.apply(best, value));
    }
    return out;
  }

  private static Tuning withMatmul(Tuning t, Tile tile) {
    return new Tuning(t.vector(), t.elementGroup(), t.rowGroup(), tile, t.flash());
  }

  private static Tuning withFlash(Tuning t, Tile tile) {
    return new Tuning(t.vector(), t.elementGroup(), t.rowGroup(), t.matmul(), tile);
  }

  private static Tuning withRowGroup(Tuning t, int group) {
    return new Tuning(t.vector(), t.elementGroup(), group, t.matmul(), t.flash());
  }

  private static Tuning withElementGroup(Tuning t, int group) {
    return new Tuning(t.vector(), group, t.rowGroup(), t.matmul(), t.flash());
  }

  private Tuning best(String what, List<Tuning> candidates, ToDoubleFunction<DeviceOps> work) {
    Set<Tuning> different = new LinkedHashSet<>();
    candidates.forEach(t -> different.add(t.fit(limits)));
    Tuning best = different.iterator().next();
    double fastest = Double.POSITIVE_INFINITY;
    int done = 0;
    for (Tuning t : different) {
      double seconds;
      try {
        seconds = work.applyAsDouble(backend.ops(t));
      } catch (DeviceException e) {
        if (e.effect() == DeviceException.Effect.DEVICE_LOST) {
          throw e;
        }
        seconds = Double.POSITIVE_INFINITY; // a driver may refuse what its limits allow
      }
      done++;
      String time =
          seconds == Double.POSITIVE_INFINITY
              ? "refused by the driver"
              : String.format(Locale.ROOT, "%.2f ms", seconds * 1e3);
      progress.accept("%s %d/%d: %s".formatted(what, done, different.size(), time));
      if (seconds < fastest) {
        fastest = seconds;
        best = t;
      }
    }
    if (fastest == Double.POSITIVE_INFINITY) {
      throw new DeviceException("no kernel for " + what + " runs on this device", null);
    }
    return best;
  }

  // --- what is measured ---

  private double seconds(Runnable call) {
    call.run(); // compiles
    backend.sync();
    double[] times = new double[CALLS];
    for (int i = 0; i < CALLS; i++) {
      long start = System.nanoTime();
      call.run();
      backend.sync();
      times[i] = (System.nanoTime() - start) * 1e-9;
    }
    Arrays.sort(times);
    return times[CALLS / 2];
  }

  private Tensor numbers(DeviceOps ops, Scope scope, long... dims) {
    Tensor t = scope.floats(dims);
    ops.fill(t, 0.01f);
    return t;
  }

  /// The three products of a linear map: forward, and both of the backward.
  private double product(DeviceOps ops) {
    int n = 256;
    int c = 384;
    try (Scope scope = backend.open("tuning")) {
      Tensor x = numbers(ops, scope, n, c);
      Tensor w = numbers(ops, scope, 4L * c, c);
      Tensor y = numbers(ops, scope, n, 4L * c);
      Tensor dw = numbers(ops, scope, 4L * c, c);
      Tensor dx = numbers(ops, scope, n, c);
      return seconds(
          () -> {
            ops.matmul(Sink.set(y), x, Trans.N, w, Trans.T, 1);
            ops.matmul(Sink.set(dx), y, Trans.N, w, Trans.N, 1);
            ops.matmul(Sink.set(dw), y, Trans.T, x, Trans.N, 1);
          });
    }
  }

  /// Forward and backward.
  private double attention(DeviceOps ops) {
    int heads = 6;
    int length = 256;
    int size = 64;
    try (Scope scope = backend.open("tuning")) {
      Tensor[] t = new Tensor[8];
      Arrays.setAll(t, i -> numbers(ops, scope, 1, heads, length, size));
      Tensor lse = scope.floats(1, heads, length);
      Tensor positions = scope.allocate(DType.I32, Shape.of(1));
      backend.upload(positions, 0);
      AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, 0.125f);
      return seconds(
          () -> {
            ops.attention(t[0], lse, t[1], t[2], t[3], spec, positions, scope);
            ops.attentionBackward(
                Sink.set(t[4]),
                Sink.set(t[5]),
                Sink.set(t[6]),
                t[7],
                t[0],
                lse,
                t[1],
                t[2],
                t[3],
                spec,
                positions,
                scope);
          });
    }
  }

  /// A normalization, a softmax, and a row times a weight.
  private double rows(DeviceOps ops) {
    int n = 256;
    int c = 768;
    try (Scope scope = backend.open("tuning")) {
      Tensor x = numbers(ops, scope, n, c);
      Tensor y = numbers(ops, scope, n, c);
      Tensor mean = scope.floats(n);
      Tensor rstd = scope.floats(n);
      Tensor gamma = numbers(ops, scope, c);
      Tensor scores = numbers(ops, scope, 1, 4, n, n);
      Tensor lse = scope.floats(1, 4, n);
      Tensor positions = scope.allocate(DType.I32, Shape.of(1));
      backend.upload(positions, 0);
      Tensor w = numbers(ops, scope, 4L * c, c);
      Tensor one = numbers(ops, scope, 1, c);
      Tensor out = numbers(ops, scope, 1, 4L * c);
      AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, 0.125f);
      return seconds(
          () -> {
            ops.layerNorm(y, mean, rstd, x, gamma, null, 1e-5f);
            ops.maskedSoftmax(scores, lse, scores, spec, positions);
            ops.matmul(Sink.set(out), one, Trans.N, w, Trans.T, 1);
          });
    }
  }

  private double elements(DeviceOps ops) {
    try (Scope scope = backend.open("tuning")) {
      Tensor a = numbers(ops, scope, 1 << 20);
      Tensor b = numbers(ops, scope, 1 << 20);
      Tensor y = numbers(ops, scope, 1 << 20);
      return seconds(
          () -> {
            ops.add(y, a, b);
            ops.axpy(Sink.add(y), 0.5f, a);
          });
    }
  }
}
