package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.core.AdamWSpec;
import org.quern.core.AttentionSpec;
import org.quern.core.Backend;
import org.quern.core.DType;
import org.quern.core.Mask;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;

/// Java has no flush to zero, and arithmetic on subnormal numbers is 10 to 50 times slower on most
/// processors: kernels must not make any of ordinary numbers.
@ExtendWith(Tier.class)
class SubnormalTest {
  private static final Settings SETTINGS =
      new Settings("cpu", 1, 1L << 30, false, false, Precision.F32, false);

  /// Of the time with ordinary numbers. It is a coarse guard: subnormals cost ten times and more.
  private static final double MOST = 5;

  private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

  private static void noneIn(String what, float[] x) {
    for (int i = 0; i < x.length; i++) {
      float size = Math.abs(x[i]);
      assertTrue(size == 0 || size >= Float.MIN_NORMAL, what + " " + i + " is subnormal: " + x[i]);
    }
  }

  private static float[] numbers(int n, double size) {
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = (float) (size * Math.sin(i * 0.7 + 1));
    }
    return out;
  }

  private static Tensor tensor(Backend backend, Scope scope, double size, long... dims) {
    Tensor x = scope.allocate(DType.F32, Shape.of(dims));
    backend.upload(x, numbers(Math.toIntExact(x.elements()), size));
    return x;
  }

  private static Tensor positions(Backend backend, Scope scope, int first) {
    Tensor x = scope.allocate(DType.I32, Shape.of(1));
    backend.upload(x, first);
    return x;
  }

  /// Fails if the second is much slower than the first.
  private static void notSlower(String what, Runnable ordinary, Runnable extreme) {
    long[] best = {Long.MAX_VALUE, Long.MAX_VALUE};
    for (int round = 0; round < 60; round++) {
      for (int i = 0; i < 2; i++) {
        long start = THREADS.getCurrentThreadCpuTime();
        (i == 0 ? ordinary : extreme).run();
        best[i] = Math.min(best[i], THREADS.getCurrentThreadCpuTime() - start);
      }
    }
    String times = what + ": " + best[1] + " ns, with ordinary numbers " + best[0];
    assertTrue(best[1] < MOST * best[0] + 20_000, times);
  }

  /// Scores are up to thousands apart: all but one weight of a row vanish.
  @ParameterizedTest
  @CsvSource({"128, 128", "1, 500", "4, 500"})
  void attentionOfScoresFarApart(int queries, int keys) {
    for (CpuProvider.Choice choice : Tier.choices()) {
      try (CpuBackend backend = CpuProvider.open(SETTINGS, choice);
          Scope scope = backend.open("test")) {
        Tensor k = tensor(backend, scope, 1, 1, 2, keys, 64);
        Tensor v = tensor(backend, scope, 1, 1, 2, keys, 64);
        Tensor y = scope.floats(1, 2, queries, 64);
        Tensor lse = scope.floats(1, 2, queries);
        Tensor positions = positions(backend, scope, keys - queries);
        AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, 0.125f);
        Runnable[] calls = new Runnable[2];
        for (int i = 0; i < 2; i++) {
          Tensor q = tensor(backend, scope, i == 0 ? 1 : 30, 1, 2, queries, 64);
          calls[i] =
              () -> {
                try (Scope scratch = backend.open("attention")) {
                  backend.ops().attention(y, lse, q, k, v, spec, positions, scratch);
                }
              };
        }
        notSlower(choice + " attention", calls[0], calls[1]);
        float[] found = backend.floats(y);
        noneIn("y", found);
        for (float x : found) {
          assertTrue(Math.abs(x) <= 1, "an average of values within 1 is " + x);
        }
      }
    }
  }

  /// Logits from 0 down to -150: the exponentials go through all subnormal numbers.
  @Test
  void softmaxOfScoresFarApart() {
    for (CpuProvider.Choice choice : Tier.choices()) {
      try (CpuBackend backend = CpuProvider.open(SETTINGS, choice);
          Scope scope = backend.open("test")) {
        int n = 256;
        float[] far = new float[n * n];
        for (int i = 0; i < far.length; i++) {
          far[i] = -150f * (i % n) / n;
        }
        Tensor near = tensor(backend, scope, 1, 1, 1, n, n);
        Tensor x = scope.floats(1, 1, n, n);
        backend.upload(x, far);
        Tensor y = scope.floats(1, 1, n, n);
        Tensor lse = scope.floats(1, 1, n);
        Tensor positions = positions(backend, scope, 0);
        AttentionSpec spec = AttentionSpec.of(Mask.CAUSAL, 1);
        notSlower(
            choice + " softmax",
            () -> backend.ops().maskedSoftmax(y, lse, near, spec, positions),
            () -> backend.ops().maskedSoftmax(y, lse, x, spec, positions));
        noneIn("a weight", backend.floats(y));

        Tensor losses = scope.floats(n);
        Tensor dx = scope.floats(n, n);
        Tensor targets = scope.allocate(DType.I32, Shape.of(n));
        backend.upload(targets, new int[n]);
        Tensor rows = x.view(Shape.of(n, n));
        backend.ops().crossEntropy(losses, dx, rows, targets, -1, 1);
        noneIn("a gradient", backend.floats(dx));
      }
    }
  }

  /// The moments of weights that get no gradient fade; they end at 0.
  @Test
  void momentsFadeToZero() {
    for (CpuProvider.Choice choice : Tier.choices()) {
      try (CpuBackend backend = CpuProvider.open(SETTINGS, choice);
          Scope scope = backend.open("test")) {
        int n = 4099;
        Tensor w = tensor(backend, scope, 1, n);
        Tensor m = tensor(backend, scope, 1e-36, n);
        Tensor v = scope.floats(n);
        backend.ops().fill(v, 3e-38f);
        Tensor g = scope.floats(n);
        backend.ops().fill(g, 0);
        AdamWSpec spec = new AdamWSpec(1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, 1000, 1);
        for (int step = 0; step < 100; step++) {
          backend.ops().adamW(w, m, v, g, spec);
          noneIn("m", backend.floats(m));
          noneIn("v", backend.floats(v));
        }
        float[] none = new float[n];
        assertTrue(Arrays.equals(none, backend.floats(v)) && zero(backend.floats(m)), "not 0");
      }
    }
  }

  private static boolean zero(float[] x) {
    for (float e : x) {
      if (e != 0) {
        return false;
      }
    }
    return true;
  }

  /// Rows of small numbers: what is under the root has an epsilon.
  @Test
  void normOfSmallNumbers() {
    for (CpuProvider.Choice choice : Tier.choices()) {
      try (CpuBackend backend = CpuProvider.open(SETTINGS, choice);
          Scope scope = backend.open("test")) {
        int n = 64;
        int c = 768;
        Tensor ordinary = tensor(backend, scope, 1, n, c);
        Tensor small = tensor(backend, scope, 1e-25, n, c);
        Tensor y = scope.floats(n, c);
        Tensor mean = scope.floats(n);
        Tensor rstd = scope.floats(n);
        Tensor gamma = tensor(backend, scope, 1, c);
        notSlower(
            choice + " layerNorm",
            () -> backend.ops().layerNorm(y, mean, rstd, ordinary, gamma, null, 1e-5f),
            () -> backend.ops().layerNorm(y, mean, rstd, small, gamma, null, 1e-5f));
        noneIn("y", backend.floats(y));
        assertEquals(1 / Math.sqrt(1e-5), backend.floats(rstd)[0], 1e-3);
      }
    }
  }
}
