package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.quern.core.Activation;
import org.quern.core.DType;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.kernels.DeviceBackend;

/// Which products go to cuBLAS, and how. That they are right is what the compatibility kit says.
@ExtendWith(NothingLeft.class)
class CudaProductsTest {
  private final Emulator emulator = Emulator.load();

  private static DeviceBackend open(boolean tf32) {
    return Present.backend(Settings.load().withTf32(tf32), Present.options());
  }

  /// {@return the first element of a product of matrices that are one number everywhere}
  private static float product(DeviceBackend backend, float a, float b) {
    try (Scope scope = backend.open("test")) {
      Tensor left = scope.floats(16, 32);
      Tensor right = scope.floats(32, 16);
      Tensor result = scope.floats(16, 16);
      backend.ops().fill(left, a);
      backend.ops().fill(right, b);
      backend.ops().matmul(Sink.set(result), left, Trans.N, right, Trans.N, 1);
      return backend.floats(result)[0];
    }
  }

  @Test
  void operandsAreRoundedToTf32OnlyWhereAskedFor() {
    float nearOne = 1 + 0x1p-12f; // TF32 has 10 bits behind the point
    try (DeviceBackend backend = open(false)) {
      assertEquals(32 * nearOne, product(backend, nearOne, 1));
    }
    try (DeviceBackend backend = open(true)) {
      assertEquals(32, product(backend, nearOne, 1));
      assertEquals(32 * (1 + 0x1p-10f), product(backend, 1 + 0x1p-10f, 1));
    }
  }

  private void assertCalls(String name, int expected, Runnable work) {
    long before = emulator.calls(name);
    work.run();
    assertEquals(expected, emulator.calls(name) - before, emulator.callTable());
  }

  @Test
  void oneStorageGoesToCublasAndMixesDoNot() {
    try (DeviceBackend backend = open(false);
        Scope scope = backend.open("test")) {
      for (DType storage : new DType[] {DType.F32, DType.BF16, DType.F16}) {
        Tensor a = scope.allocate(storage, Shape.of(20, 30));
        Tensor b = scope.allocate(storage, Shape.of(30, 10));
        Tensor sum = scope.floats(20, 10);
        String call = storage == DType.F32 ? "cublasSgemm" : "cublasGemmEx";
        Sink sink = Sink.set(sum);
        assertCalls(call, 1, () -> backend.ops().matmul(sink, a, Trans.N, b, Trans.N, 1));
        Tensor other =
            scope.allocate(storage == DType.F32 ? DType.F16 : DType.F32, Shape.of(30, 10));
        assertCalls(call, 0, () -> backend.ops().matmul(sink, a, Trans.N, other, Trans.N, 1));
      }
    }
  }

  @Test
  void fewRowsWithWeightsDoNotGoToCublas() {
    try (DeviceBackend backend = open(false);
        Scope scope = backend.open("test")) {
      Tensor w = scope.floats(40, 30);
      for (int rows : new int[] {1, 8, 9}) {
        Tensor x = scope.floats(rows, 30);
        Tensor y = scope.floats(rows, 40);
        int calls = rows > 8 ? 1 : 0;
        assertCalls(
            "cublasSgemm", calls, () -> backend.ops().linear(y, y, x, w, null, Activation.NONE));
      }
    }
  }

  @Test
  void batchesAreOneCall() {
    try (DeviceBackend backend = open(false);
        Scope scope = backend.open("test")) {
      for (DType storage : new DType[] {DType.F32, DType.BF16}) {
        Tensor a = scope.allocate(storage, Shape.of(3, 4, 20, 30));
        Tensor b = scope.allocate(storage, Shape.of(3, 4, 10, 30));
        Tensor c = scope.allocate(storage, Shape.of(3, 4, 20, 10));
        String call =
            storage == DType.F32 ? "cublasSgemmStridedBatched" : "cublasGemmStridedBatchedEx";
        assertCalls(call, 1, () -> backend.ops().matmul(Sink.set(c), a, Trans.N, b, Trans.T, 1));
      }
    }
  }

  @Test
  void whatIsNoMatrixOfNumbersIsRefused() {
    try (DeviceBackend backend = open(false);
        Scope scope = backend.open("test")) {
      Tensor ids = scope.allocate(DType.I32, Shape.of(10, 10));
      Tensor y = scope.floats(10, 10);
      assertThrows(
          IllegalArgumentException.class,
          () -> backend.ops().matmul(Sink.set(y), ids, Trans.N, ids, Trans.N, 1));
    }
  }
}
