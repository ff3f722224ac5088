package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;

class CodesTest {
  @Test
  void namesCallCodeAndDevice() {
    String message = Codes.failure(2, "cuMemAlloc", "Device", "8 bytes").getMessage();
    assertEquals("cuMemAlloc: CUDA_ERROR_OUT_OF_MEMORY (2) on Device: 8 bytes", message);
    message = Codes.blasFailure(13, "cublasSgemm", "Device", "a product").getMessage();
    assertEquals("cublasSgemm: CUBLAS_STATUS_EXECUTION_FAILED (13) on Device: a product", message);
  }

  @Test
  void throwsUnlessItIsSuccess() {
    assertDoesNotThrow(() -> Codes.check(0, "cuInit", "Device"));
    assertThrows(DeviceException.class, () -> Codes.check(1, "cuInit", "Device"));
  }

  /// The driver's documentation says of these that the process must be restarted, or that the
  /// context is gone (CUDA Driver API, "Data types used by CUDA driver", `CUresult`).
  @ParameterizedTest
  @ValueSource(ints = {4, 201, 214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 999})
  void afterTheseTheDeviceIsLost(int code) {
    assertEquals(Effect.DEVICE_LOST, Codes.effect(code, "cuLaunchKernel"));
  }

  @Test
  void anErrorOfWhatWasQueuedBeforeLosesTheDevice() {
    for (String call : new String[] {"cuStreamSynchronize", "cuEventSynchronize"}) {
      for (int code : new int[] {1, 2, 400, 701}) {
        assertEquals(Effect.DEVICE_LOST, Codes.effect(code, call), call + code);
      }
    }
    assertEquals(Effect.OUT_OF_MEMORY, Codes.effect(2, "cuLaunchKernel"));
    for (int code : new int[] {1, 100, 200, 222, 400, 500, 701, 801, 900}) {
      assertEquals(Effect.CALL_FAILED, Codes.effect(code, "cuLaunchKernel"));
    }
    assertEquals(Effect.OUT_OF_MEMORY, Codes.blasFailure(3, "f", "Device", "").effect());
    assertEquals(Effect.CALL_FAILED, Codes.blasFailure(14, "f", "Device", "").effect());
  }
}
