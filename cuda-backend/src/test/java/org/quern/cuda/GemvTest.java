package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.core.DType;
import org.quern.core.Tensor;
import org.quern.kernels.CudaRows;
import org.quern.kernels.KernelVariant;

/// `gemv` against float64: every storage of weights, with all that may follow the product.
class GemvTest {
  /// Rounding of f32, to nearest.
  private static final double F32 = 0x1p-24;

  private static final int BLOCK = 32;

  private static final float ALPHA = 0.75f;

  /// Four int8 an element, as the library holds them.
  private static final DType QUANTIZED = DType.I32;

  private CudaLaunch launch;

  @BeforeEach
  void open() {
    launch = new CudaLaunch();
  }

  @AfterEach
  void close() {
    if (launch != null) {
      launch.close();
    }
  }

  /// A product and what follows it.
  ///
  /// @param b storage of the matrix, or [#QUANTIZED]
  /// @param after as `DeviceOps` numbers activations: 0 none, 1 GELU by tanh, 2 GELU by erf, 3 ReLU
  record Case(
      DType a, DType b, DType c, int n, int k, int team, int add, int bias, int keep, int after) {
    KernelVariant variant() {
      return b == QUANTIZED ? CudaRows.gemvQuantized(a, c, team) : CudaRows.gemv(a, b, c, team);
    }
  }

  static Stream<Case> cases() {
    List<Case> out = new ArrayList<>();
    DType f32 = DType.F32;
    for (DType a : List.of(f32, DType.BF16, DType.F16)) {
      for (DType b : List.of(f32, DType.BF16, DType.F16, QUANTIZED)) {
        for (DType c : a == f32 ? List.of(f32) : List.of(a, f32)) {
          // Widths: less than a warp reads at once; several rounds and a rest; longer.
          out.add(new Case(a, b, c, 1, 16, 1, 0, 0, 0, 0));
          out.add(new Case(a, b, c, 5, 768, 1, 0, 1, 1, 1));
          out.add(new Case(a, b, c, 7, 1048, 4, 1, 1, 0, 0));
          out.add(new Case(a, b, c, 130, 72, 1, 1, 0, 0, 3));
          out.add(new Case(a, b, c, 3, 4104, 4, 0, 1, 1, 2));
        }
      }
      // Blocks of 32 that the row does not fill.
      out.add(new Case(a, QUANTIZED, a, 6, 77, 1, 0, 1, 0, 1));
      out.add(new Case(a, QUANTIZED, a, 2, 1001, 4, 0, 0, 0, 0));
    }
    return out.stream();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithFloat64(Case g) {
    multiply(launch, g);
  }

  /// {@return what comes of a case, which is within its bounds}
  static List<double[]> multiply(CudaLaunch launch, Case g) {
    Inputs in = new Inputs(g);
    DeviceArray c = DeviceArray.of(launch, g.c(), in.earlier);
    DeviceArray h = g.keep() == 1 ? DeviceArray.results(launch, g.c(), g.n()) : c;
    launch.launch(
        g.variant(),
        CudaRows.gemvGrid(g.n(), g.team()),
        c,
        h,
        DeviceArray.shifted(launch, g.a(), 1, in.a),
        weights(launch, g, in.b),
        DeviceArray.of(launch, DType.F32, in.scales),
        DeviceArray.of(launch, DType.F32, in.bias),
        1,
        g.n(),
        g.k(),
        in.blocks,
        ALPHA,
        g.add(),
        g.bias(),
        g.after(),
        g.keep());
    AttentionReference.Tensor before = in.product();
    if (g.keep() == 1) {
      Bounds.check("h", stored(g.c(), before), h.get());
    }
    Bounds.check("c", stored(g.c(), activated(g.after(), before)), c.get());
    return List.of(c.get(), h.get());
  }

  /// Random numbers for a case.
  private static final class Inputs {
    private final Case g;
    private final double[] a;
    private final double[] earlier;
    private final double[] bias;
    private final int blocks;
    private final int width;
    private final double[] scales;
    private final double[] b;

    Inputs(Case g) {
      this.g = g;
      Random random = new Random(g.toString().hashCode());
      a = numbers(random, g.a(), g.k());
      earlier = numbers(random, g.c(), g.n());
      bias = numbers(random, DType.F32, g.n());
      blocks = (g.k() + BLOCK - 1) / BLOCK;
      width = g.b() == QUANTIZED ? blocks * BLOCK : g.k();
      scales = new double[g.n() * blocks];
      Arrays.setAll(scales, i -> (float) Math.exp(random.nextGaussian() - 4));
      b = g.b() == QUANTIZED ? bytes(random, g) : numbers(random, g.b(), g.n() * g.k());
    }

    /// {@return what goes into the activation}
    AttentionReference.Tensor product() {
      AttentionReference.Tensor out = new AttentionReference.Tensor(g.n());
      for (int row = 0; row < g.n(); row++) {
        double sum = 0;
        double magnitude = 0;
        for (int d = 0; d < g.k(); d++) {
          double scale = g.b() == QUANTIZED ? scales[row * blocks + d / BLOCK] : 1;
          double product = a[d] * b[row * width + d] * scale;
          sum += product;
          magnitude += Math.abs(product);
        }
        double v = ALPHA * sum + g.add() * earlier[row] + g.bias() * bias[row];
        out.value()[row] = v;
        out.bound()[row] =
            F32 * ((g.k() + 4) * ALPHA * magnitude + Math.abs(earlier[row]) + 2 * Math.abs(v));
      }
      return out;
    }
  }

  private static double[] numbers(Random random, DType dtype, int size) {
    double[] out = new double[size];
    Arrays.setAll(out, i -> Storage.round(dtype, random.nextGaussian()));
    return out;
  }

  /// Rows of whole blocks, as `quantize` leaves them: zeros behind the last number.
  private static double[] bytes(Random random, Case g) {
    int width = (g.k() + BLOCK - 1) / BLOCK * BLOCK;
    double[] out = new double[g.n() * width];
    Arrays.setAll(out, i -> i % width < g.k() ? random.nextInt(-127, 128) : 0);
    return out;
  }

  /// The matrix. Bytes are stored four to an integer.
  private static Tensor weights(CudaLaunch launch, Case g, double[] b) {
    if (g.b() != QUANTIZED) {
      return DeviceArray.of(launch, g.b(), b).tensor();
    }
    int[] words = new int[b.length / Integer.BYTES];
    for (int i = 0; i < b.length; i++) {
      words[i / Integer.BYTES] |= ((int) b[i] & 0xff) << 8 * (i % Integer.BYTES);
    }
    return DeviceArray.of(launch, words).tensorOfBytes();
  }

  private static AttentionReference.Tensor stored(DType c, AttentionReference.Tensor t) {
    AttentionReference.Tensor out = new AttentionReference.Tensor(t.value().length);
    double unit = c == DType.BF16 ? 0x1p-8 : c == DType.F16 ? 0x1p-11 : F32;
    for (int i = 0; i < t.value().length; i++) {
      out.value()[i] = t.value()[i];
      out.bound()[i] =
          t.bound()[i] + unit * (Math.abs(t.value()[i]) + t.bound()[i]) + 0x1p-25 * unit;
    }
    return out;
  }

  /// GELU's slope is below 1.13 everywhere; its own error is that of an exponential, whose exponent
  /// grows with x^3, or of an error function.
  private static AttentionReference.Tensor activated(int f, AttentionReference.Tensor t) {
    AttentionReference.Tensor out = new AttentionReference.Tensor(t.value().length);
    for (int i = 0; i < t.value().length; i++) {
      double x = t.value()[i];
      double z = Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
      out.value()[i] =
          switch (f) {
            case 1 -> 0.5 * x * (1 + Math.tanh(z));
            case 2 -> 0.5 * x * (1 + erf(x / Math.sqrt(2)));
            case 3 -> Math.max(x, 0);
            default -> x;
          };
      double own =
          switch (f) {
            case 1 -> Math.abs(out.value()[i]) * 16 * F32 * (1 + Math.abs(z));
            case 2 -> Math.abs(x) * 8 * F32;
            default -> 0;
          };
      out.bound()[i] = (f == 1 || f == 2 ? 1.13 : 1) * t.bound()[i] + own;
    }
    return out;
  }

  /// The integral of the density, by Simpson's rule.
  private static double erf(double x) {
    int steps = 2000;
    double h = x / steps;
    double sum = 0;
    for (int i = 0; i <= steps; i++) {
      int weight = i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2;
      sum += weight * Math.exp(-(i * h) * (i * h));
    }
    return 2 / Math.sqrt(Math.PI) * sum * h / 3;
  }

  @Test
  void severalWarpsShareARowWhereRowsAreFewAndLong() {
    assertEquals(1, CudaRows.team(50_257, 1536, 108));
    assertEquals(4, CudaRows.team(768, 6144, 108));
    assertEquals(1, CudaRows.team(768, 768, 108));
  }
}
