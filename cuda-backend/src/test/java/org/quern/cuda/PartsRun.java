package org.quern.cuda;

import java.util.List;
import org.quern.core.Availability.Missing;
import org.quern.core.DeviceException;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Sink;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.Tuning;

/// Works on a machine that lacks cuBLAS or NVRTC: what [MissingPartsTest] runs in another JVM.
final class PartsRun {
  private PartsRun() {}

  /// Takes `cublas` or `nvrtc`: what is missing.
  public static void main(String[] args) {
    boolean cublas = List.of(args).contains("cublas");
    Missing driver = Libraries.driver();
    check(driver == null, "the driver is here: " + driver);
    check((Libraries.cublas() != null) == cublas, "cuBLAS");
    check((Libraries.nvrtc() == null) == cublas, "NVRTC");
    try (DeviceBackend backend =
        CudaProvider.open(
            CudaProvider.device(0), Settings.load(), Present.options(), Tuning.gpu())) {
      multiply(backend);
    }
    if (!cublas) {
      withoutCompiler();
    }
    check(Resources.all().live().isEmpty(), "left behind: " + Resources.all().live());
    System.out.println("all is well");
  }

  private static void check(boolean right, String message) {
    if (!right) {
      throw new AssertionError(message);
    }
  }

  private static void multiply(DeviceBackend backend) {
    try (Scope scope = backend.open("test")) {
      Tensor a = scope.floats(20, 30);
      Tensor b = scope.floats(30, 40);
      Tensor c = scope.floats(20, 40);
      backend.ops().fill(a, 2);
      backend.ops().fill(b, 3);
      backend.ops().matmul(Sink.set(c), a, Trans.N, b, Trans.N, 1);
      for (float number : backend.floats(c)) {
        check(number == 180, "a product: " + number);
      }
    }
  }

  private static void withoutCompiler() {
    Modules.Shipped none = (variant, capability) -> null;
    KernelVariant fill = KernelVariant.of("portable", "fill", java.util.Map.of("VW", 4));
    CudaDevice device = CudaProvider.device(0);
    try (CudaAccelerator a =
        new CudaAccelerator(device, Settings.load(), Present.options().withShipped(none))) {
      check(!a.offers(fill), "there is neither text nor compiler");
      a.compile(fill);
      check(false, "compiled by nobody");
    } catch (DeviceException e) {
      System.out.println(e.getMessage());
    }
    try (CudaAccelerator a = new CudaAccelerator(device, Settings.load(), Present.options())) {
      check(a.offers(fill), "this one is shipped");
    }
    try {
      new CudaProvider().tune(0, Settings.load(), line -> check(false, line));
      check(false, "tuned by nobody");
    } catch (UnsupportedOperationException e) {
      System.out.println(e.getMessage());
    }
    new CudaProvider().open(0, Settings.load()).close();
  }
}
