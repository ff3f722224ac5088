package org.quern.cuda;

import static java.util.Objects.requireNonNull;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import jcuda.Pointer;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;
import org.quern.core.DeviceException;
import org.quern.kernels.Grid;

/// Gives commands to the driver, one by one.
final class Issuer {
  private static final int MOST_PARAMETERS = 64;

  private final CommandStream stream;
  private final Staging staging;
  private final @Nullable Blas blas;

  /// What a launch reads its parameters from: eight bytes each, and where each of them is.
  private final LongBuffer parameters = longs();

  private final Pointer addresses;

  /// Over what it gives commands to.
  ///
  /// @param stream takes them
  /// @param staging takes uploads
  /// @param blas takes products, or null where nobody asks for one
  Issuer(CommandStream stream, Staging staging, @Nullable Blas blas) {
    this.stream = stream;
    this.staging = staging;
    this.blas = blas;
    LongBuffer table = longs();
    long first = MemorySegment.ofBuffer(parameters).address();
    for (int i = 0; i < MOST_PARAMETERS; i++) {
      table.put(i, first + (long) i * Long.BYTES);
    }
    addresses = Pointer.to(table);
  }

  private static LongBuffer longs() {
    return ByteBuffer.allocateDirect(MOST_PARAMETERS * Long.BYTES)
        .order(ByteOrder.nativeOrder())
        .asLongBuffer();
  }

  /// Gives one command.
  ///
  /// @param command any but a download
  /// @param data what an upload copies, else null
  void issue(Command command, @Nullable MemorySegment data) {
    switch (command) {
      case Command.Launch launch -> launch(launch);
      case Command.Copy copy ->
          stream.check(
              JCudaDriver.cuMemcpyDtoDAsync(
                  Address.of(copy.target()),
                  Address.of(copy.source()),
                  copy.bytes(),
                  stream.handle()),
              "cuMemcpyDtoDAsync");
      case Command.Product product -> requireNonNull(blas, "no cuBLAS").queue(product);
      case Command.Upload upload ->
          staging.upload(upload.target(), requireNonNull(data, "no data"));
      case Command.Download ignored ->
          throw new IllegalArgumentException("a download is waited for");
    }
  }

  private void launch(Command.Launch launch) {
    Command.Parameters values = launch.parameters();
    if (values.count() > MOST_PARAMETERS) {
      throw new IllegalArgumentException(
          "kernel %s: %d parameters, at most %d are expected"
              .formatted(launch.kernel(), values.count(), MOST_PARAMETERS));
    }
    for (int i = 0; i < values.count(); i++) {
      parameters.put(i, values.word(i));
    }
    CudaKernel kernel = launch.kernel();
    Grid grid = launch.grid();
    admit(kernel, grid.dynamicLocalBytes());
    int code =
        JCudaDriver.cuLaunchKernel(
            kernel.function(),
            grid.x(),
            grid.y(),
            grid.z(),
            grid.groupSize(),
            1,
            1,
            grid.dynamicLocalBytes(),
            stream.handle(),
            addresses,
            null);
    if (code != 0) {
      throw stream.failure(code, "cuLaunchKernel", what(kernel, grid));
    }
  }

  /// Asks for dynamic shared memory: beyond 48 KiB a launch needs a permission.
  private void admit(CudaKernel kernel, int bytes) {
    if (bytes <= kernel.dynamicLocalBytes()) {
      return;
    }
    int code =
        JCudaDriver.cuFuncSetAttribute(
            kernel.function(),
            CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
            bytes);
    if (code != 0) {
      throw stream.failure(
          code, "cuFuncSetAttribute", "%s with %d bytes of shared memory".formatted(kernel, bytes));
    }
    kernel.setDynamicLocalBytes(bytes);
  }

  private static String what(CudaKernel kernel, Grid grid) {
    return "%s on %d x %d x %d groups of %d with %d bytes of dynamic shared memory"
        .formatted(
            kernel, grid.x(), grid.y(), grid.z(), grid.groupSize(), grid.dynamicLocalBytes());
  }

  /// Waits for all that was given, and copies from the device.
  ///
  /// @param target heap or native memory
  /// @param source a device address
  void download(MemorySegment target, long source) {
    staging.download(target, source);
  }

  /// Waits for all that was given.
  ///
  /// @throws DeviceException if some of it has failed
  void synchronize() {
    stream.synchronize();
    staging.settled();
  }

  /// Notes that someone else has waited for the stream.
  void settled() {
    staging.settled();
  }
}
