package org.quern.cuda;

import java.util.Set;
import jcuda.driver.CUresult;
import jcuda.jcublas.cublasStatus;
import org.jspecify.annotations.Nullable;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;

/// The codes that functions of the driver and of cuBLAS answer, and the one place that makes an
/// exception of an error.
final class Codes {
  private static final Set<String> WAITING = Set.of("cuStreamSynchronize", "cuEventSynchronize");

  /// After these the driver refuses all further work of the process on that device ("sticky"
  /// errors), or its context is gone.
  private static final Set<Integer> LOST =
      Set.of(
          CUresult.CUDA_ERROR_DEINITIALIZED,
          CUresult.CUDA_ERROR_INVALID_CONTEXT,
          CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
          CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
          CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_LAUNCH_FAILED,
          CUresult.CUDA_ERROR_UNKNOWN);

  private Codes() {}

  /// Throws unless the code is success.
  ///
  /// @param code what a function of the driver answered
  /// @param call the function's name
  /// @param device whom it was about
  static void check(int code, String call, String device) {
    if (code != CUresult.CUDA_SUCCESS) {
      throw failure(code, call, device, null);
    }
  }

  /// {@return the exception for an error}
  ///
  /// @param code what a function of the driver answered
  /// @param call the function's name
  /// @param device whom it was about
  /// @param more what else helps: the arguments, a build log; or null
  static DeviceException failure(int code, String call, String device, @Nullable String more) {
    return new DeviceException(
        "%s: %s (%d) on %s%s"
            .formatted(
                call, CUresult.stringFor(code), code, device, more == null ? "" : ": " + more),
        null,
        effect(code, call));
  }

  /// {@return what an error means for the device}
  ///
  /// An error of a function that waits is one of a command that was queued before. What that
  /// command should have computed is missing, so that whatever the code, nothing can go on from
  /// here.
  ///
  /// @param code what a function of the driver answered
  /// @param call the function's name
  static Effect effect(int code, String call) {
    if (WAITING.contains(call) || LOST.contains(code)) {
      return Effect.DEVICE_LOST;
    }
    return code == CUresult.CUDA_ERROR_OUT_OF_MEMORY ? Effect.OUT_OF_MEMORY : Effect.CALL_FAILED;
  }

  /// {@return the exception for an error of cuBLAS}
  ///
  /// @param status what a function answered
  /// @param call the function's name
  /// @param device whom it was about
  /// @param more what else helps
  static DeviceException blasFailure(int status, String call, String device, String more) {
    return new DeviceException(
        "%s: %s (%d) on %s: %s"
            .formatted(call, cublasStatus.stringFor(status), status, device, more),
        null,
        status == cublasStatus.CUBLAS_STATUS_ALLOC_FAILED
            ? Effect.OUT_OF_MEMORY
            : Effect.CALL_FAILED);
  }
}
