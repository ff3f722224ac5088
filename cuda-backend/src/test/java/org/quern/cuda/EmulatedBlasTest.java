package org.quern.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.quern.cuda.Emulator.Fact;
import org.quern.cuda.Emulator.Kind;

/// The emulator's cuBLAS against sums in float64.
class EmulatedBlasTest {
  private static final int COMPUTE_32F = 68;
  private static final int COMPUTE_32F_FAST_TF32 = 77;
  private static final int TF32_TENSOR_OP_MATH = 3;

  private final Emulator emulator = Emulator.load();
  private EmulatedDevice device;
  private MemorySegment handle;

  @BeforeEach
  void open() {
    emulator.reset();
    emulator.set(Fact.PRINT, 0);
    device = EmulatedDevice.open(emulator);
    device.check("cublasCreate_v2", device.out());
    handle = device.last();
  }

  @AfterEach
  void close() {
    device.check("cublasDestroy_v2", handle);
    device.close();
    assertEquals("", emulator.live());
    emulator.reset();
  }

  /// Storages, as `cudaDataType` numbers them.
  private enum Storage {
    F32(0, 4, 0x1p-24),
    F16(2, 2, 0x1p-11),
    BF16(14, 2, 0x1p-8);

    final int type;
    final int bytes;
    final double roundoff;

    Storage(int type, int bytes, double roundoff) {
      this.type = type;
      this.bytes = bytes;
      this.roundoff = roundoff;
    }

    float rounded(float value) {
      return switch (this) {
        case F32 -> value;
        case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
        case BF16 -> Float.intBitsToFloat(Float.floatToRawIntBits(value) & 0xffff0000);
      };
    }

    void set(MemorySegment memory, long index, float value) {
      switch (this) {
        case F32 -> memory.setAtIndex(JAVA_FLOAT, index, value);
        case F16 -> memory.setAtIndex(JAVA_SHORT, index, Float.floatToFloat16(value));
        case BF16 ->
            memory.setAtIndex(JAVA_SHORT, index, (short) (Float.floatToRawIntBits(value) >>> 16));
      }
    }

    float get(MemorySegment memory, long index) {
      return switch (this) {
        case F32 -> memory.getAtIndex(JAVA_FLOAT, index);
        case F16 -> Float.float16ToFloat(memory.getAtIndex(JAVA_SHORT, index));
        case BF16 -> Float.intBitsToFloat(memory.getAtIndex(JAVA_SHORT, index) << 16);
      };
    }
  }

  /// A batch of matrices by columns, with room between columns and between matrices.
  private final class Matrices {
    final int rows;
    final int columns;
    final int leading;
    final long stride;
    final Storage storage;
    final MemorySegment host;
    long device;

    Matrices(Storage storage, int rows, int columns, int batches, Random random) {
      this.storage = storage;
      this.rows = rows;
      this.columns = columns;
      leading = rows + 3;
      stride = (long) leading * columns + 5;
      host = EmulatedBlasTest.this.device.arena().allocate(stride * batches * storage.bytes, 16);
      for (long i = 0; i < stride * batches; i++) {
        storage.set(host, i, storage.rounded((float) random.nextGaussian()));
      }
      upload();
    }

    void upload() {
      device = EmulatedBlasTest.this.device.upload(host);
    }

    void download() {
      EmulatedBlasTest.this.device.check("cuMemcpyDtoH_v2", host, device, host.byteSize());
    }

    /// Of op(X).
    float at(int batch, int row, int column, boolean transposed) {
      long index = transposed ? (long) row * leading + column : (long) column * leading + row;
      return storage.get(host, batch * stride + index);
    }
  }

  private MemorySegment scalar(float value) {
    return device.arena().allocateFrom(JAVA_FLOAT, value);
  }

  @ParameterizedTest
  @CsvSource({
    "SGEMM, F32, F32", "SGEMM_BATCHED, F32, F32", "GEMM_EX, F32, F32", "GEMM_EX, BF16, BF16",
    "GEMM_EX, F16, F16", "GEMM_EX, BF16, F32", "GEMM_EX, F16, F32", "BATCHED_EX, BF16, BF16",
    "BATCHED_EX, F16, F32"
  })
  void productsAreRight(Function function, Storage in, Storage out) {
    int[][] sizes = {{1, 1, 1}, {33, 5, 7}, {64, 48, 31}, {7, 70, 129}, {3, 4, 0}};
    for (int[] size : sizes) {
      for (int transposes = 0; transposes < 4; transposes++) {
        boolean transposeA = (transposes & 1) != 0;
        boolean transposeB = (transposes & 2) != 0;
        Product p = new Product(function, in, out, size, transposeA, transposeB);
        p.run(transposes == 0 ? 0 : 0.5f, COMPUTE_32F);
      }
    }
  }

  private enum Function {
    SGEMM(1),
    SGEMM_BATCHED(3),
    GEMM_EX(1),
    BATCHED_EX(2);

    final int batches;

    Function(int batches) {
      this.batches = batches;
    }
  }

  private final class Product {
    final Function function;
    final int m;
    final int n;
    final int k;
    final boolean transposeA;
    final boolean transposeB;
    final Matrices a;
    final Matrices b;
    final Matrices c;
    final MemorySegment before;

    Product(
        Function function,
        Storage in,
        Storage out,
        int[] size,
        boolean transposeA,
        boolean transposeB) {
      this.function = function;
      m = size[0];
      n = size[1];
      k = size[2];
      this.transposeA = transposeA;
      this.transposeB = transposeB;
      Random random = new Random(31L * m + n + k);
      int batches = function.batches;
      a = new Matrices(in, transposeA ? k : m, transposeA ? m : k, batches, random);
      b = new Matrices(in, transposeB ? n : k, transposeB ? k : n, batches, random);
      c = new Matrices(out, m, n, batches, random);
      before = device.arena().allocate(c.host.byteSize(), 16).copyFrom(c.host);
    }

    void run(float beta, int compute) {
      assertEquals(0, call(2, beta, compute));
      device.check("cuCtxSynchronize");
      c.download();
      check(2, beta);
    }

    int call(float alpha, float beta, int compute) {
      int ta = transposeA ? 1 : 0;
      int tb = transposeB ? 1 : 0;
      MemorySegment al = scalar(alpha);
      MemorySegment be = scalar(beta);
      int at = a.storage.type;
      int ct = c.storage.type;
      return switch (function) {
        case SGEMM ->
            device.call(
                "cublasSgemm_v2",
                handle,
                ta,
                tb,
                m,
                n,
                k,
                al,
                a.device,
                a.leading,
                b.device,
                b.leading,
                be,
                c.device,
                c.leading);
        case SGEMM_BATCHED ->
            device.call(
                "cublasSgemmStridedBatched",
                handle,
                ta,
                tb,
                m,
                n,
                k,
                al,
                a.device,
                a.leading,
                a.stride,
                b.device,
                b.leading,
                b.stride,
                be,
                c.device,
                c.leading,
                c.stride,
                function.batches);
        case GEMM_EX ->
            device.call(
                "cublasGemmEx",
                handle,
                ta,
                tb,
                m,
                n,
                k,
                al,
                a.device,
                at,
                a.leading,
                b.device,
                at,
                b.leading,
                be,
                c.device,
                ct,
                c.leading,
                compute,
                -1);
        case BATCHED_EX ->
            device.call(
                "cublasGemmStridedBatchedEx",
                handle,
                ta,
                tb,
                m,
                n,
                k,
                al,
                a.device,
                at,
                a.leading,
                a.stride,
                b.device,
                at,
                b.leading,
                b.stride,
                be,
                c.device,
                ct,
                c.leading,
                c.stride,
                function.batches,
                compute,
                -1);
      };
    }

    /// |error| <= (k + 2) u sum |a b| for the sum, and a rounding of the result.
    void check(float alpha, float beta) {
      for (int batch = 0; batch < function.batches; batch++) {
        for (int j = 0; j < n; j++) {
          for (int i = 0; i < m; i++) {
            double sum = 0;
            double sizes = 0;
            for (int d = 0; d < k; d++) {
              double term = (double) a.at(batch, i, d, transposeA) * b.at(batch, d, j, transposeB);
              sum += term;
              sizes += Math.abs(term);
            }
            double old = c.storage.get(before, batch * c.stride + (long) j * c.leading + i);
            double expected = alpha * sum + beta * old;
            double bound =
                (k + 2) * 0x1p-24 * (Math.abs(alpha) * sizes + Math.abs(beta * old))
                    + 1.01 * c.storage.roundoff * Math.abs(expected);
            assertEquals(expected, c.at(batch, i, j, false), bound);
          }
        }
        outsideIsUntouched(batch);
      }
    }

    private void outsideIsUntouched(int batch) {
      for (int j = 0; j < n; j++) {
        for (int i = m; i < c.leading; i++) {
          long at = batch * c.stride + (long) j * c.leading + i;
          assertEquals(c.storage.get(before, at), c.storage.get(c.host, at));
        }
      }
    }
  }

  /// With TF32 the operands have 11 bits: an error that f32 does not make, and none that is larger.
  @ParameterizedTest
  @EnumSource(Function.class)
  void tf32RoundsTheOperands(Function function) {
    int[] size = {16, 16, 64};
    Product p = new Product(function, Storage.F32, Storage.F32, size, false, false);
    boolean byMode = function == Function.SGEMM || function == Function.SGEMM_BATCHED;
    if (byMode) {
      device.check("cublasSetMathMode", handle, TF32_TENSOR_OP_MATH);
    }
    assertEquals(0, p.call(1, 0, byMode ? COMPUTE_32F : COMPUTE_32F_FAST_TF32));
    device.check("cuCtxSynchronize");
    p.c.download();
    double worst = 0;
    for (int i = 0; i < 16; i++) {
      for (int j = 0; j < 16; j++) {
        double sum = 0;
        double sizes = 0;
        for (int d = 0; d < 64; d++) {
          double term = (double) p.a.at(0, i, d, false) * p.b.at(0, d, j, false);
          sum += term;
          sizes += Math.abs(term);
        }
        worst = Math.max(worst, Math.abs(p.c.at(0, i, j, false) - sum) / sizes);
      }
    }
    assertTrue(worst > 70 * 0x1p-24 / 10, "rounded: " + worst);
    assertTrue(worst < 2 * 0x1p-11 + 70 * 0x1p-24, "not too much: " + worst);
  }

  @Test
  void betaZeroDoesNotReadWhatIsThere() {
    Product p =
        new Product(Function.SGEMM, Storage.F32, Storage.F32, new int[] {4, 4, 4}, false, false);
    long bytes = p.c.host.byteSize();
    device.check("cuMemsetD32_v2", p.c.device, Float.floatToRawIntBits(Float.NaN), bytes / 4);
    assertEquals(0, p.call(1, 0, COMPUTE_32F));
    p.c.download();
    assertTrue(Float.isFinite(p.c.at(0, 3, 3, false)));
  }

  @Test
  void wrongArgumentsAreRefused() {
    long x = device.upload(new float[64]);
    MemorySegment one = scalar(1);
    int tooNarrow =
        device.call("cublasSgemm_v2", handle, 0, 0, 8, 2, 2, one, x, 7, x, 2, one, x, 8);
    assertEquals(7, tooNarrow);
    int mixedTypes =
        device.call(
            "cublasGemmEx",
            handle,
            0,
            0,
            2,
            2,
            2,
            one,
            x,
            14,
            2,
            x,
            2,
            2,
            one,
            x,
            0,
            2,
            COMPUTE_32F,
            -1);
    assertEquals(15, mixedTypes);
    assertEquals(1, device.call("cublasSetMathMode", MemorySegment.NULL, 0));
    assertEquals(15, device.call("cublasDgemm_v2", handle));
  }

  @Test
  void anAddressOutsideLosesTheDevice() {
    long x = device.upload(new float[16]);
    MemorySegment one = scalar(1);
    assertEquals(
        0, device.call("cublasSgemm_v2", handle, 0, 0, 8, 8, 8, one, x, 8, x, 8, one, x, 8));
    assertEquals(700, device.call("cuCtxSynchronize"));
    assertTrue(emulator.reports().contains("cublasSgemm: a of matrix 0"), emulator.reports());
  }

  @Test
  void uninitialisedOperandsAreReported() {
    emulator.set(Fact.CHECK, 1);
    long x = device.allocate(64);
    long y = device.upload(new float[16]);
    MemorySegment one = scalar(1);
    MemorySegment zero = scalar(0);
    device.check("cublasSgemm_v2", handle, 0, 0, 4, 4, 4, one, y, 4, y, 4, zero, x, 4);
    assertEquals("", emulator.reports());
    long fresh = device.allocate(64);
    device.check("cublasSgemm_v2", handle, 0, 0, 4, 4, 4, one, fresh, 4, x, 4, zero, y, 4);
    assertTrue(emulator.reports().contains("cublasSgemm reads uninitialised"), emulator.reports());
  }

  /// What the host gives back behind a product in the stream is still there for it.
  @Test
  void aQueuedProductSeesMemoryThatIsGivenBackLater() {
    emulator.set(Fact.LAZY, 1);
    long x = device.upload(new float[16]);
    device.check("cuMemAllocAsync", device.out(), 64L, MemorySegment.NULL);
    long y = device.out().get(JAVA_LONG, 0);
    MemorySegment zero = scalar(0);
    device.check("cublasSgemm_v2", handle, 0, 0, 4, 4, 4, zero, x, 4, x, 4, zero, y, 4);
    device.check("cublasSgemm_v2", handle, 0, 0, 4, 4, 4, zero, y, 4, x, 4, zero, x, 4);
    device.check("cuMemFreeAsync", y, MemorySegment.NULL);
    device.check("cuCtxSynchronize");
    assertEquals("", emulator.reports());
  }

  @Test
  void aProductIsCapturedLikeAKernel() {
    Product p =
        new Product(Function.SGEMM, Storage.F32, Storage.F32, new int[] {4, 4, 4}, false, false);
    device.check("cuStreamCreate", device.out(), 1);
    MemorySegment stream = device.last();
    device.check("cublasSetStream_v2", handle, stream);
    device.check("cuStreamBeginCapture_v2", stream, 1);
    assertEquals(0, p.call(2, 0.5f, COMPUTE_32F));
    device.check("cuStreamEndCapture", stream, device.out());
    MemorySegment graph = device.last();
    device.check("cuGraphInstantiateWithFlags", device.out(), graph, 0L);
    MemorySegment exec = device.last();
    device.check("cuGraphLaunch", exec, stream);
    device.check("cuCtxSynchronize");
    p.c.download();
    p.check(2, 0.5f);
    device.check("cuGraphExecDestroy", exec);
    device.check("cuGraphDestroy", graph);
    device.check("cuStreamDestroy_v2", stream);
  }

  @Test
  void handlesAreCounted() {
    assertEquals(1, emulator.live(Kind.CUBLAS));
    device.check("cublasGetVersion_v2", handle, device.out());
    assertEquals(120603, device.out().get(JAVA_INT, 0));
    emulator.fail("cublasCreate", 1, 3);
    assertEquals(3, device.call("cublasCreate_v2", device.out()));
    assertEquals(1, emulator.live(Kind.CUBLAS));
  }
}
