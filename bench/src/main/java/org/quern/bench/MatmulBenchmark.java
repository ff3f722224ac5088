package org.quern.bench;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.quern.core.Activation;
import org.quern.core.Backend;
import org.quern.core.Precision;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;

/// Products at GPT-2's sizes: plain ones in every layout, and those with weights that were
/// prepared, as inference has them.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class MatmulBenchmark extends DeviceBenchmark {
  private static final String PLAIN = "plain";
  private static final String NT = "NT";

  /// Which points to measure.
  public static final Study STUDY =
      new Study(
          "matmul",
          "Matrix products of GPT-2",
          "c (M, N) = sum over K; `shape` is N x K. NN: a (M, K), b (K, N). NT: b (N, K), as in the"
              + " forward of a linear map. TN: a (K, M), as in its gradient. `weights`: plain F32"
              + " tensors, or prepared once in the backend's own layout and precision, as in"
              + " inference. Bytes: both operands and the result once.",
          MatmulBenchmark.class,
          List.of(
              Study.facet("shape", "2304x768", "768x768", "3072x768", "768x3072"),
              Study.x("m", "1", "4", "64", "256", "1024"),
              Study.series("layout", NT, "NN", "TN").or(),
              Study.series("weights", PLAIN, "f32", "bf16", "f16", "q8").or()),
          (machine, point) ->
              point.get("weights").equals(PLAIN)
                  || (point.get("layout").equals(NT)
                      && machine.offers(Study.precision(point.get("weights")))));

  /// N x K.
  @Param({"2304x768", "768x768", "3072x768", "768x3072"})
  public String shape = "768x768";

  /// M, the rows of the result.
  @Param({"1", "4", "64", "256", "1024"})
  public int m = 1;

  /// `NN`, `NT` or `TN`.
  @Param({NT, "NN", "TN"})
  public String layout = NT;

  /// `plain`, or how weights are prepared: `f32`, `bf16`, `f16`, `q8`; those in NT only.
  @Param({PLAIN, "f32"})
  public String weights = PLAIN;

  private @Nullable Data data;

  /// For JMH.
  public MatmulBenchmark() {}

  /// Everything that one trial needs.
  private record Data(
      Tensor c, Tensor a, Trans ta, Tensor b, Trans tb, @Nullable Tensor prepared) {}

  /// The sizes of a product.
  private record Sizes(int m, int n, int k) {}

  private Sizes sizes() {
    Matcher parts = Pattern.compile("([1-9]\\d{0,5})x([1-9]\\d{0,5})").matcher(shape);
    if (!parts.matches()) {
      throw new IllegalArgumentException(
          "shape must be N x K, such as 768x768, found '%s'".formatted(shape));
    }
    return new Sizes(m, Integer.parseInt(parts.group(1)), Integer.parseInt(parts.group(2)));
  }

  private static Trans trans(char letter) {
    return letter == 'T' ? Trans.T : Trans.N;
  }

  /// Opens the backend, makes inputs, checks the result.
  @Setup(Level.Trial)
  public void open() {
    Precision precision = weights.equals(PLAIN) ? Precision.F32 : Study.precision(weights);
    Backend device = open(precision);
    Sizes s = sizes();
    Trans ta = trans(layout.charAt(0));
    Trans tb = trans(layout.charAt(1));
    float[] a = Inputs.floats(s.m() * s.k(), 1);
    float[] b = Inputs.floats(s.n() * s.k(), 2);
    Tensor left = ta == Trans.N ? scope().floats(s.m(), s.k()) : scope().floats(s.k(), s.m());
    Tensor right = tb == Trans.N ? scope().floats(s.k(), s.n()) : scope().floats(s.n(), s.k());
    device.upload(left, a);
    device.upload(right, b);
    Tensor prepared = weights.equals(PLAIN) ? null : device.prepare(right, scope());
    data = new Data(scope().floats(s.m(), s.n()), left, ta, right, tb, prepared);
    double memory = Work.peak(device, this::matmul);
    verify(s, device.floats(data.c()), a, b, precision);
    double numbers = (double) s.m() * s.k() + (double) s.m() * s.n();
    double bytes = Float.BYTES * numbers + Study.bytes(precision) * s.n() * s.k();
    WorkProfiler.tell(Work.of(2.0 * s.m() * s.n() * s.k(), bytes).withMemory(memory));
  }

  /// By how much a result may be off, as a share of the sum of its products' magnitudes.
  private static double tolerance(Precision precision) {
    return switch (precision) {
      case F32 -> 0x1p-20; // sums of up to 3072 roundings, which mostly cancel
      case BF16 -> 0x1p-8; // a weight is off by 2^-9 at most
      case F16 -> 0x1p-11; // by 2^-12
      case Q8 -> 0x1p-6; // by 1/254 of its block's largest, twice its mean
    };
  }

  private void verify(Sizes s, float[] c, float[] a, float[] b, Precision precision) {
    for (int i : Inputs.places(s.m())) {
      for (int j : Inputs.places(s.n())) {
        double sum = 0;
        double magnitude = 0;
        for (int l = 0; l < s.k(); l++) {
          double x = a[layout.charAt(0) == 'N' ? i * s.k() + l : l * s.m() + i];
          double y = b[layout.charAt(1) == 'N' ? l * s.n() + j : j * s.k() + l];
          sum += x * y;
          magnitude += Math.abs(x * y);
        }
        float found = c[i * s.n() + j];
        if (!(Math.abs(found - sum) <= tolerance(precision) * magnitude)) {
          throw new IllegalStateException(
              "wrong product: row %d, column %d: expected %s, found %s"
                  .formatted(i, j, sum, found));
        }
      }
    }
  }

  /// Multiplies once and waits for it.
  @Benchmark
  public void matmul() {
    Data s = require(data);
    if (s.prepared() == null) {
      device().ops().matmul(Sink.set(s.c()), s.a(), s.ta(), s.b(), s.tb(), 1);
    } else {
      device().ops().linear(s.c(), s.c(), s.a(), s.prepared(), null, Activation.NONE);
    }
    device().sync();
  }
}
