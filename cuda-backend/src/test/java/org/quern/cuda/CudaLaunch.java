package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.quern.core.Buffer;
import org.quern.core.Tensor;
import org.quern.cuda.Emulator.Fact;
import org.quern.kernels.Accelerator;
import org.quern.kernels.Arguments;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;

/// Launches single kernels on the emulated device, without operations around them, and fails where
/// one does what it must not.
final class CudaLaunch implements AutoCloseable {
  private final Emulator emulator = Emulator.load();
  private final CudaAccelerator accelerator;
  private final Map<KernelVariant, Accelerator.Kernel> kernels = new HashMap<>();
  private final List<Buffer> buffers = new ArrayList<>();

  /// The device as it is.
  CudaLaunch() {
    this(Map.of());
  }

  /// The device with some facts changed.
  ///
  /// @param facts such as that kernels are checked
  CudaLaunch(Map<Fact, Long> facts) {
    emulator.reset();
    facts.forEach(emulator::set);
    accelerator = Present.accelerator(Present.options().withCublas(false).withGraphs(false));
  }

  /// {@return new memory with these contents}
  Buffer upload(byte[] bytes) {
    Buffer buffer = Objects.requireNonNull(accelerator.allocate(bytes.length));
    buffers.add(buffer);
    accelerator.upload(buffer, 0, MemorySegment.ofArray(bytes));
    return buffer;
  }

  /// {@return what is in memory}
  byte[] download(Buffer buffer) {
    byte[] out = new byte[Math.toIntExact(buffer.bytes())];
    accelerator.download(MemorySegment.ofArray(out), buffer, 0);
    return out;
  }

  /// Launches a kernel and waits for it.
  ///
  /// @param variant which
  /// @param grid of groups
  /// @param parameters each a [DeviceArray] or a [Tensor], which is two parameters, or a number
  void launch(KernelVariant variant, Grid grid, Object... parameters) {
    Arguments arguments = new Arguments();
    for (Object parameter : parameters) {
      switch (parameter) {
        case DeviceArray array -> arguments.add(array.tensor());
        case Tensor tensor -> arguments.add(tensor);
        case Long n -> arguments.add(n);
        case Integer n -> arguments.add(n);
        case Float n -> arguments.add(n);
        default -> throw new IllegalArgumentException(parameter.toString());
      }
    }
    Accelerator.Kernel kernel = kernels.computeIfAbsent(variant, accelerator::compile);
    accelerator.launch(kernel, grid, arguments, null);
    accelerator.synchronize();
    assertEquals("", emulator.reports(), variant.toString());
  }

  /// Gives all back; the emulator then looks for what was written beside memory.
  @Override
  public void close() {
    buffers.forEach(accelerator::free);
    kernels.values().forEach(Accelerator.Kernel::close);
    accelerator.close();
    assertEquals("", emulator.live());
    assertEquals("", emulator.reports());
    emulator.reset();
  }
}
