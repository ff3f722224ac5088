package org.quern.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;
import org.quern.core.DType;
import org.quern.core.DeviceException;
import org.quern.core.Trans;
import org.quern.cuda.Resources.Kind;

/// Matrix products by cuBLAS, in the accelerator's stream. Sums are in F32 whatever the storage.
///
/// Results are the same in every run: cuBLAS promises that for one stream with a workspace of its
/// own (cuBLAS documentation, section 2.1.4, "Results Reproducibility").
final class Blas implements AutoCloseable {
  /// What cuBLAS would take by itself: 32 MiB on Hopper, 4 MiB before it (section 2.4.8,
  /// `cublasSetWorkspace`).
  private static final int HOPPER = 90;

  private static final long WORKSPACE = 4 << 20;
  private static final long HOPPER_WORKSPACE = 32 << 20;

  private final CommandStream stream;
  private final DeviceMemory memory;
  private final cublasHandle handle = new cublasHandle();
  private final FloatBuffer factors = floats();
  private final Pointer alpha = Pointer.to(factors);
  private final Pointer beta = alpha.withByteOffset(Float.BYTES);
  private long workspace;

  /// Makes a handle and its workspace.
  ///
  /// @param stream where products are queued
  /// @param memory for the workspace
  /// @param tf32 whether operands in F32 may be rounded to TF32
  /// @throws DeviceException if cuBLAS or the device does not want to
  Blas(CommandStream stream, DeviceMemory memory, boolean tf32) {
    this.stream = stream;
    this.memory = memory;
    check(JCublas2.cublasCreate(handle), "cublasCreate");
    stream.resources().made(Kind.CUBLAS);
    try {
      check(JCublas2.cublasSetStream(handle, new cudaStream_t(stream.handle())), "cublasSetStream");
      long bytes = stream.device().capability() >= HOPPER ? HOPPER_WORKSPACE : WORKSPACE;
      workspace = memory.allocate(bytes);
      if (workspace == 0) {
        check(
            cublasStatus.CUBLAS_STATUS_ALLOC_FAILED,
            "cublasSetWorkspace",
            "%d bytes".formatted(bytes));
      }
      // After the stream, which would set it back.
      check(
          JCublas2.cublasSetWorkspace(handle, Address.of(workspace), bytes), "cublasSetWorkspace");
      check(JCublas2.cublasSetMathMode(handle, mode(tf32)), "cublasSetMathMode");
    } catch (DeviceException e) {
      close();
      throw e;
    }
  }

  /// Partial sums of 16-bit products stay in F32 too.
  private static int mode(boolean tf32) {
    int operands = tf32 ? cublasMath.CUBLAS_TF32_TENSOR_OP_MATH : cublasMath.CUBLAS_DEFAULT_MATH;
    return operands | cublasMath.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
  }

  private static FloatBuffer floats() {
    return ByteBuffer.allocateDirect(2 * Float.BYTES)
        .order(ByteOrder.nativeOrder())
        .asFloatBuffer();
  }

  /// Queues a batch of products.
  ///
  /// cuBLAS takes matrices column by column, in which order ours are their transposes: it is asked
  /// for `c^T = op(b)^T op(a)^T`, which needs no other transposition than those asked for.
  ///
  /// @param p what to compute
  void queue(Command.Product p) {
    factors.put(0, p.alpha()).put(1, p.beta());
    int leftStride = p.tb() == Trans.N ? p.n() : p.k();
    int rightStride = p.ta() == Trans.N ? p.k() : p.m();
    if (p.operands() == DType.F32) {
      queueF32(p, leftStride, rightStride);
    } else {
      queue16(p, leftStride, rightStride);
    }
  }

  private void queueF32(Command.Product p, int leftStride, int rightStride) {
    int status =
        p.batch() == 1
            ? JCublas2.cublasSgemm(
                handle,
                operation(p.tb()),
                operation(p.ta()),
                p.n(),
                p.m(),
                p.k(),
                alpha,
                Address.of(p.b()),
                leftStride,
                Address.of(p.a()),
                rightStride,
                beta,
                Address.of(p.c()),
                p.n())
            : JCublas2.cublasSgemmStridedBatched(
                handle,
                operation(p.tb()),
                operation(p.ta()),
                p.n(),
                p.m(),
                p.k(),
                alpha,
                Address.of(p.b()),
                leftStride,
                (long) p.n() * p.k(),
                Address.of(p.a()),
                rightStride,
                (long) p.m() * p.k(),
                beta,
                Address.of(p.c()),
                p.n(),
                (long) p.m() * p.n(),
                p.batch());
    check(status, p.batch() == 1 ? "cublasSgemm" : "cublasSgemmStridedBatched", p);
  }

  private void queue16(Command.Product p, int leftStride, int rightStride) {
    int status =
        p.batch() == 1
            ? JCublas2.cublasGemmEx_new(
                handle,
                operation(p.tb()),
                operation(p.ta()),
                p.n(),
                p.m(),
                p.k(),
                alpha,
                Address.of(p.b()),
                type(p.operands()),
                leftStride,
                Address.of(p.a()),
                type(p.operands()),
                rightStride,
                beta,
                Address.of(p.c()),
                type(p.result()),
                p.n(),
                cublasComputeType.CUBLAS_COMPUTE_32F,
                cublasGemmAlgo.CUBLAS_GEMM_DEFAULT)
            : JCublas2.cublasGemmStridedBatchedEx_new(
                handle,
                operation(p.tb()),
                operation(p.ta()),
                p.n(),
                p.m(),
                p.k(),
                alpha,
                Address.of(p.b()),
                type(p.operands()),
                leftStride,
                (long) p.n() * p.k(),
                Address.of(p.a()),
                type(p.operands()),
                rightStride,
                (long) p.m() * p.k(),
                beta,
                Address.of(p.c()),
                type(p.result()),
                p.n(),
                (long) p.m() * p.n(),
                p.batch(),
                cublasComputeType.CUBLAS_COMPUTE_32F,
                cublasGemmAlgo.CUBLAS_GEMM_DEFAULT);
    check(status, p.batch() == 1 ? "cublasGemmEx" : "cublasGemmStridedBatchedEx", p);
  }

  private static int operation(Trans trans) {
    return trans == Trans.N ? cublasOperation.CUBLAS_OP_N : cublasOperation.CUBLAS_OP_T;
  }

  private static int type(DType dtype) {
    return switch (dtype) {
      case F32 -> cudaDataType.CUDA_R_32F;
      case F16 -> cudaDataType.CUDA_R_16F;
      case BF16 -> cudaDataType.CUDA_R_16BF;
      case I32 -> throw new IllegalArgumentException("products are of real numbers");
    };
  }

  private void check(int status, String call) {
    check(status, call, "the handle");
  }

  private void check(int status, String call, Object what) {
    if (status != 0) {
      throw Codes.blasFailure(status, call, stream.device().name(), what.toString());
    }
  }

  /// Gives the handle and the workspace back.
  @Override
  public void close() {
    int ignored = JCublas2.cublasDestroy(handle);
    stream.resources().released(Kind.CUBLAS);
    if (workspace != 0) {
      try {
        memory.free(workspace);
      } catch (DeviceException e) {
        // A device that is lost: its memory went with it.
      }
      workspace = 0;
    }
  }
}
