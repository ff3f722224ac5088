package org.quern.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.quern.core.DType;
import org.quern.core.Ops;
import org.quern.core.Precision;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;

/// Runs a check with both kinds of kernels and with 1, 2 and 5 threads, and sees to it that what
/// was read back has the same bits for any number of threads and that no memory leaks.
final class Fixture implements AutoCloseable {
  /// The unit roundoff of f32.
  static final double EPS = 0x1p-24;

  private final CpuBackend backend;
  private final Scope scope;
  private final SplittableRandom random = new SplittableRandom(42);
  private final List<float[]> read = new ArrayList<>();

  private Fixture(CpuProvider.Choice choice, int threads) {
    Settings settings = new Settings("cpu", threads, 2L << 30, true, false, Precision.F32, false);
    backend = CpuProvider.open(settings, choice);
    scope = backend.open("test");
  }

  static void everywhere(Consumer<Fixture> check) {
    for (CpuProvider.Choice choice : Tier.choices()) {
      List<float[]> first = null;
      for (int threads : new int[] {1, 2, 5}) {
        Fixture f = new Fixture(choice, threads);
        try (f) {
          check.accept(f);
        } catch (AssertionError e) {
          throw new AssertionError(choice + " with " + threads + " threads: " + e.getMessage(), e);
        }
        assertTrue(!f.read.isEmpty(), "the check read nothing back");
        if (first == null) {
          first = f.read;
        }
        assertEquals(first.size(), f.read.size());
        for (int i = 0; i < first.size(); i++) {
          if (!Arrays.equals(first.get(i), f.read.get(i))) {
            fail(choice + ": result " + i + " differs between 1 and " + threads + " threads");
          }
        }
      }
    }
  }

  Ops ops() {
    return backend.ops();
  }

  CpuBackend backend() {
    return backend;
  }

  Scope scope() {
    return scope;
  }

  /// Uniform in [-size, size).
  float[] numbers(int n, double size) {
    float[] out = new float[n];
    for (int i = 0; i < n; i++) {
      out[i] = (float) ((random.nextDouble() * 2 - 1) * size);
    }
    return out;
  }

  int[] integers(int n, int bound) {
    int[] out = new int[n];
    for (int i = 0; i < n; i++) {
      out[i] = random.nextInt(bound);
    }
    return out;
  }

  /// A tensor with those values, at an odd offset in its buffer: nothing may rely on alignment.
  Tensor tensor(float[] values, long... dims) {
    Shape shape = Shape.of(dims);
    Tensor whole = scope.floats(shape.elements() + 3);
    Tensor t = new Tensor(whole.buffer(), DType.F32, shape, 3);
    backend.upload(t, values);
    return t;
  }

  Tensor integers(int[] values, long... dims) {
    Tensor t = scope.allocate(DType.I32, Shape.of(dims));
    backend.upload(t, values);
    return t;
  }

  /// A tensor full of NaN, to be replaced.
  Tensor nan(long... dims) {
    float[] values = new float[Math.toIntExact(Shape.of(dims).elements())];
    Arrays.fill(values, Float.NaN);
    return tensor(values, dims);
  }

  float[] read(Tensor t) {
    float[] out = backend.floats(t);
    read.add(out);
    return out;
  }

  /// Calls an operation with a sink that replaces NaN and with one that adds to known values, and
  /// compares with the expected result: `|actual - expected| <= bound`.
  void sink(String what, double[] expected, double[] bound, Consumer<Sink> op, long... dims) {
    Tensor set = nan(dims);
    op.accept(Sink.set(set));
    close(what + " SET", expected, bound, read(set));
    float[] old = numbers(expected.length, 1);
    Tensor add = tensor(old, dims);
    op.accept(Sink.add(add));
    double[] sum = new double[old.length];
    double[] wider = new double[old.length];
    for (int i = 0; i < old.length; i++) {
      sum[i] = old[i] + expected[i];
      wider[i] = bound[i] + 2 * EPS * (Math.abs(old[i]) + Math.abs(expected[i]));
    }
    close(what + " ADD", sum, wider, read(add));
  }

  static void close(String what, double[] expected, double[] bound, float[] actual) {
    assertEquals(expected.length, actual.length, what);
    for (int i = 0; i < actual.length; i++) {
      double error = Math.abs(actual[i] - expected[i]);
      if (!(error <= bound[i]) && expected[i] != actual[i]) {
        fail(
            "%s: element %d of %d is %s, expected %s within %s"
                .formatted(what, i, actual.length, actual[i], expected[i], bound[i]));
      }
    }
  }

  /// Bounds of `units` roundoffs relative to each value, and at least `floor`.
  static double[] bound(double[] values, double units, double floor) {
    double[] out = new double[values.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = units * EPS * Math.abs(values[i]) + floor;
    }
    return out;
  }

  @Override
  public void close() {
    scope.close();
    assertEquals(0, backend.pool().stats().inUse(), "leaked");
    backend.close();
  }
}
