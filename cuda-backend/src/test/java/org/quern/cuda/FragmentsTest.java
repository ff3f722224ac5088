package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.quern.cuda.SelfTestKernels.FRAGMENTS;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.cuda.Emulator.Fact;

/// Where the elements of matrices lie in the registers of a warp: `mma` and `ldmatrix` as the
/// emulator does them, against the formulas of the PTX ISA and, independently, the layouts of
/// CUTLASS's CuTe (`mma_traits_sm80.hpp`). Layouts that are wrong in one respect must give wrong
/// products: else the test would see nothing.
class FragmentsTest {
  private static final int LANES = 32;

  private final Emulator emulator = Emulator.load();

  @BeforeEach
  @AfterEach
  void reset() {
    emulator.reset();
  }

  private enum Operand {
    F16("product_f16", 16),
    BF16("product_bf16", 16),
    TF32("product_tf32", 8);

    final String kernel;
    final int depth;

    Operand(String kernel, int depth) {
      this.kernel = kernel;
      this.depth = depth;
    }

    boolean half() {
      return this != TF32;
    }

    int bits(float value) {
      return switch (this) {
        case F16 -> Float.floatToFloat16(value) & 0xffff;
        case BF16 -> Float.floatToRawIntBits(value) >>> 16; // the tests' numbers fit
        case TF32 -> Float.floatToRawIntBits(value);
      };
    }
  }

  private record At(int row, int column) {}

  /// The element that value `i` of a lane is.
  private interface Place {
    At of(int lane, int i);

    /// As it is, but values i and j have changed places.
    default Place swapped(int i, int j) {
      return (lane, x) -> of(lane, x == i ? j : x == j ? i : x);
    }

    default Place transposed() {
      return (lane, i) -> new At(of(lane, i).column(), of(lane, i).row());
    }

    default Place lanesByColumn() {
      return (lane, i) -> of((lane & 7) * 4 + (lane >> 3), i);
    }
  }

  private record Layout(Place a, Place b, Place c) {}

  /// PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type" and "... mma.m16n8k8".
  private static Layout isa(Operand operand) {
    Place c = (lane, i) -> new At(lane / 4 + (i < 2 ? 0 : 8), lane % 4 * 2 + (i & 1));
    if (operand.half()) {
      return new Layout(
          (lane, i) ->
              new At(
                  i < 2 || (i >= 4 && i < 6) ? lane / 4 : lane / 4 + 8,
                  lane % 4 * 2 + (i & 1) + (i >= 4 ? 8 : 0)),
          (lane, i) -> new At(lane % 4 * 2 + (i & 1) + (i >= 2 ? 8 : 0), lane / 4),
          c);
    }
    return new Layout(
        (lane, i) ->
            new At(i == 0 || i == 2 ? lane / 4 : lane / 4 + 8, i < 2 ? lane % 4 : lane % 4 + 4),
        (lane, i) -> new At(i == 0 ? lane % 4 : lane % 4 + 4, lane / 4),
        c);
  }

  /// SM80_16x8x16_F32BF16BF16F32_TN and SM80_16x8x8_F32TF32TF32F32_TN: strides of the thread's two
  /// coordinates and of the value's bits, in a matrix stored by columns; B is given as (n, k).
  private static Layout cute(Operand operand) {
    Place c = strides(32, 1, 16, 8, 0, 16);
    return operand.half()
        ? new Layout(strides(32, 1, 16, 8, 128, 16), strides(16, 1, 8, 64, 0, 8).transposed(), c)
        : new Layout(strides(16, 1, 8, 64, 0, 16), strides(8, 1, 32, 0, 0, 8).transposed(), c);
  }

  private static Place strides(int low, int high, int bit0, int bit1, int bit2, int rows) {
    return (lane, i) -> {
      int index =
          lane % 4 * low + lane / 4 * high + (i & 1) * bit0 + (i >> 1 & 1) * bit1 + (i >> 2) * bit2;
      return new At(index % rows, index / rows);
    };
  }

  @ParameterizedTest
  @EnumSource(Operand.class)
  void productsAreThoseOfTheIsa(Operand operand) {
    for (long how : new long[] {0, 1, 2}) {
      emulator.set(Fact.PRODUCT, how);
      assertEquals(0, error(operand, isa(operand)));
    }
  }

  @ParameterizedTest
  @EnumSource(Operand.class)
  void productsAreThoseOfCute(Operand operand) {
    assertEquals(0, error(operand, cute(operand)));
  }

  static Stream<Object[]> wrongLayouts() {
    return Stream.of(Operand.values())
        .flatMap(o -> wrong(o).keySet().stream().map(name -> new Object[] {o, name}));
  }

  @ParameterizedTest
  @MethodSource("wrongLayouts")
  void aWrongLayoutGivesAWrongProduct(Operand operand, String name) {
    Layout layout = wrong(operand).get(name);
    assertNotEquals(0, error(operand, layout));
  }

  private static Map<String, Layout> wrong(Operand operand) {
    Layout right = isa(operand);
    Map<String, Layout> all = new LinkedHashMap<>();
    Place a = right.a();
    Place b = right.b();
    Place c = right.c();
    all.put("A: registers 1, 2 swapped", new Layout(registersSwapped(operand, a, 1, 2), b, c));
    all.put("A: registers 2, 3 swapped", new Layout(registersSwapped(operand, a, 2, 3), b, c));
    all.put("A: transposed", new Layout(a.transposed(), b, c));
    all.put("A: lanes by column", new Layout(a.lanesByColumn(), b, c));
    all.put("B: registers swapped", new Layout(a, registersSwapped(operand, b, 0, 1), c));
    Place transposed =
        (lane, i) -> {
          At at = b.of(lane, i);
          return new At(at.column() + (at.row() & 8), at.row() & 7);
        };
    all.put("B: transposed", new Layout(a, transposed, c));
    all.put("B: lanes by column", new Layout(a, b.lanesByColumn(), c));
    all.put("C: 1, 2 swapped", new Layout(a, b, c.swapped(1, 2)));
    Place columns = (lane, i) -> new At(lane / 4 + (i < 2 ? 0 : 8), lane % 4 + 4 * (i & 1));
    all.put("C: columns t, t + 4", new Layout(a, b, columns));
    all.put("C: lanes by column", new Layout(a, b, c.lanesByColumn()));
    if (operand.half()) {
      Place halves = a.swapped(0, 1).swapped(2, 3).swapped(4, 5).swapped(6, 7);
      all.put("A: halves of registers swapped", new Layout(halves, b, c));
      all.put("B: halves of registers swapped", new Layout(a, b.swapped(0, 1).swapped(2, 3), c));
    }
    return all;
  }

  private static Place registersSwapped(Operand operand, Place place, int i, int j) {
    if (!operand.half()) {
      return place.swapped(i, j);
    }
    return (lane, x) -> {
      int register = x / 2;
      int other = register == i ? j : register == j ? i : register;
      return place.of(lane, 2 * other + (x & 1));
    };
  }

  /// Places small integers by a layout, multiplies, reads the result by the same layout, and
  /// answers the largest difference from the plain product: 0, since all sums are exact.
  private double error(Operand operand, Layout layout) {
    Random random = new Random(5);
    float[][] a = integers(random, 16, operand.depth, 8);
    float[][] b = integers(random, operand.depth, 8, 8);
    float[][] c = integers(random, 16, 8, 1000);
    int values = operand.half() ? 2 : 1; // of a register
    int[] registersA = registers(operand, layout.a(), a, 4 * values);
    int[] registersB = registers(operand, layout.b(), b, 2 * values);
    float[] registersC = new float[4 * LANES];
    for (int x = 0; x < registersC.length; x++) {
      registersC[x] = at(c, layout.c().of(x / 4, x % 4));
    }
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      var kernel = device.function(SelfTestKernels.ptx(device, FRAGMENTS), operand.kernel);
      long d = device.allocate(4 * 4 * LANES);
      device.launch(
          kernel,
          1,
          LANES,
          0,
          device.upload(registersA),
          device.upload(registersB),
          device.upload(registersC),
          d);
      float[] found = device.download(d, 4 * LANES);
      double error = 0;
      for (int x = 0; x < found.length; x++) {
        At at = layout.c().of(x / 4, x % 4);
        double sum = at(c, at);
        for (int k = 0; k < operand.depth; k++) {
          sum += (double) a[at.row() % 16][k] * b[k][at.column() % 8];
        }
        error = Math.max(error, Math.abs(sum - found[x]));
      }
      return error;
    }
  }

  private static float[][] integers(Random random, int rows, int columns, int most) {
    float[][] matrix = new float[rows][columns];
    for (float[] row : matrix) {
      for (int j = 0; j < columns; j++) {
        row[j] = random.nextInt(2 * most + 1) - most;
      }
    }
    return matrix;
  }

  /// Wrong layouts may point outside.
  private static float at(float[][] matrix, At at) {
    return matrix[at.row() % matrix.length][at.column() % matrix[0].length];
  }

  private static int[] registers(Operand operand, Place place, float[][] matrix, int values) {
    int each = operand.half() ? 2 : 1;
    int[] registers = new int[LANES * values / each];
    for (int x = 0; x < LANES * values; x++) {
      int bits = operand.bits(at(matrix, place.of(x / values, x % values)));
      registers[x / each] |= bits << (16 * (x % each));
    }
    return registers;
  }

  /// PTX ISA, "ldmatrix": lane 8 q + r gives row r of matrix q; lane l gets elements (l / 4, 2 (l %
  /// 4)) and the next.
  @Test
  void matricesAreLoadedAsTheIsaSays() {
    int[] in = new int[4 * LANES];
    for (int i = 0; i < in.length; i++) {
      in[i] = (2 * i * 257 + 3 & 0xffff) | ((2 * i + 1) * 257 + 3) << 16;
    }
    int[] plain = new int[4 * LANES];
    int[] transposed = new int[4 * LANES];
    for (int lane = 0; lane < LANES; lane++) {
      for (int q = 0; q < 4; q++) {
        int row = lane / 4;
        int column = 2 * (lane % 4);
        plain[4 * lane + q] = element(in, q, row, column) | element(in, q, row, column + 1) << 16;
        transposed[4 * lane + q] =
            element(in, q, column, row) | element(in, q, column + 1, row) << 16;
      }
    }
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      long foundPlain = device.allocate(16 * LANES);
      long foundTransposed = device.allocate(16 * LANES);
      device.launch(
          device.function(SelfTestKernels.ptx(device, FRAGMENTS), "load_matrices"),
          1,
          LANES,
          0,
          device.upload(in),
          foundPlain,
          foundTransposed);
      assertArrayEquals(plain, device.downloadInts(foundPlain, 4 * LANES));
      assertArrayEquals(transposed, device.downloadInts(foundTransposed, 4 * LANES));
    }
  }

  private static int element(int[] words, int matrix, int row, int column) {
    int index = (matrix * 8 + row) * 8 + column;
    return words[index / 2] >>> (16 * (index % 2)) & 0xffff;
  }

  /// To nearest, ties to even for bf16 and f16, away from zero for tf32, each by its definition.
  @Test
  void conversionsRoundAsTheHardware() {
    float[] x = {
      1.00390625f,
      1.01171875f,
      1.00048828125f,
      1.00146484375f,
      1.000000059f,
      -1.00048828125f,
      3.0e38f,
      65504f,
      65520f,
      1.0e-8f,
      0.1f,
      -0.3f,
      0f,
      -0f,
      5.9604645e-8f,
      6.1e-5f,
      Float.POSITIVE_INFINITY,
      -127.5f,
      -126f,
      -130f,
      3.3895314e38f,
      Float.MAX_VALUE
    };
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      long y = device.allocate(20L * x.length);
      device.launch(
          device.function(SelfTestKernels.ptx(device, FRAGMENTS), "convert"),
          1,
          LANES,
          0,
          device.upload(x),
          y,
          x.length);
      int[] found = device.downloadInts(y, 5 * x.length);
      for (int i = 0; i < x.length; i++) {
        float v = x[i];
        assertEquals(0x3f80_0000 | bf16(v), found[5 * i], "bf16 of " + v);
        int half = Float.floatToFloat16(v) & 0xffff;
        assertEquals(0x3c00_0000 | half, found[5 * i + 1], "f16 of " + v);
        assertEquals(tf32(v), Float.intBitsToFloat(found[5 * i + 2]), "tf32 of " + v);
        double power = Math.pow(2, v);
        double expected = power < Float.MIN_NORMAL ? 0 : power;
        assertEquals(
            expected, Float.intBitsToFloat(found[5 * i + 3]), expected * 0x1p-22, "2 to " + v);
        assertEquals(Float.float16ToFloat((short) half), Float.intBitsToFloat(found[5 * i + 4]));
      }
    }
  }

  /// The nearest multiple of the last place, and of two equally near ones the even one.
  private static int bf16(float value) {
    if (Float.isInfinite(value)) {
      return Float.floatToRawIntBits(value) >>> 16;
    }
    double unit = Math.scalb(1.0, Math.max(Math.getExponent(value), -126) - 7);
    double rounded = Math.rint(value / unit) * unit;
    float result =
        Math.abs(rounded) > 0x1.fep127
            ? Math.copySign(Float.POSITIVE_INFINITY, value)
            : (float) rounded;
    return Float.floatToRawIntBits(Math.copySign(result, value)) >>> 16;
  }

  /// The nearest multiple of the last place, and of two equally near ones the larger.
  private static float tf32(float value) {
    if (Float.isInfinite(value)) {
      return value;
    }
    double unit = Math.scalb(1.0, Math.max(Math.getExponent(value), -126) - 10);
    return (float) Math.copySign(Math.floor(Math.abs(value) / unit + 0.5) * unit, value);
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 5})
  void lanesExchange(long order) {
    emulator.set(Fact.ORDER, order);
    int[] in = new int[LANES];
    for (int i = 0; i < LANES; i++) {
      in[i] = i * i + 3;
    }
    int ballot = 0;
    for (int i = 0; i < LANES; i++) {
      ballot |= (in[i] & 1) << i;
    }
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      long out = device.allocate(32 * LANES);
      device.launch(
          device.function(SelfTestKernels.ptx(device, FRAGMENTS), "exchange"),
          1,
          LANES,
          0,
          device.upload(in),
          out);
      int[] found = device.downloadInts(out, 8 * LANES);
      for (int l = 0; l < LANES; l++) {
        int[] expected = {
          in[4 * (l % 8)] + 7,
          in[l],
          in[l] + 1,
          in[l / 8 * 8 + 3],
          in[l % 16 < 2 ? l : l - 2],
          in[l + 5 < 32 ? l + 5 : l],
          in[l ^ 12],
          ballot + 2
        };
        for (int i = 0; i < expected.length; i++) {
          assertEquals(expected[i], found[8 * l + i], "lane " + l + ", " + i);
        }
      }
    }
  }
}
