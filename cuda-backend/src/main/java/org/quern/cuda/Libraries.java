package org.quern.cuda;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import jcuda.CudaException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;
import org.quern.core.Availability.Missing;
import org.quern.cuda.Natives.Part;

/// What of CUDA is on this machine: the driver, which everything needs; cuBLAS and NVRTC, which are
/// no part of a driver and for which there are substitutes. Each is looked for on its own. What was
/// found is remembered, a failure is tried again.
final class Libraries {
  /// CUDA 12.0: what the newest functions that we call, and JCuda's own binding, need.
  static final int LEAST_DRIVER = 12_000;

  static final String OR_CPU = ", or use -Dquern.backend=cpu";
  private static final String INSTALL_DRIVER =
      "install the driver of your NVIDIA GPU, release 525 or newer; in a container, start it with"
          + " --gpus all"
          + OR_CPU;
  private static final Map<Part, String> INSTALL = new EnumMap<>(Part.class);

  static {
    INSTALL.put(Part.DRIVER, INSTALL_DRIVER);
    INSTALL.put(
        Part.CUBLAS,
        "install cuBLAS of CUDA 12 (libcublas.so.12, as in Debian's and NVIDIA's package"
            + " libcublas-12-6) for faster products; CUDA 13's does not do");
    INSTALL.put(
        Part.NVRTC,
        "install NVRTC of CUDA 12 (libnvrtc.so.12, as in NVIDIA's package cuda-nvrtc-12-6) to"
            + " compile other kernels than those that come with Quern");
  }

  private static final Set<Part> LOADED = EnumSet.noneOf(Part.class);
  private static int driverVersion;

  private Libraries() {}

  /// {@return why the driver cannot be used; null if it can, and is initialized}
  static synchronized @Nullable Missing driver() {
    if (driverVersion != 0) {
      return null;
    }
    Missing missing = load(Part.DRIVER);
    return missing == null ? initialize() : missing;
  }

  /// {@return the driver's version, such as 12060 for CUDA 12.6, once [#driver] found it}
  static synchronized int driverVersion() {
    return driverVersion;
  }

  /// {@return why cuBLAS cannot be used; null if it can}
  static synchronized @Nullable Missing cublas() {
    return load(Part.CUBLAS);
  }

  /// {@return why NVRTC cannot be used; null if it can}
  static synchronized @Nullable Missing nvrtc() {
    return load(Part.NVRTC);
  }

  private static @Nullable Missing load(Part part) {
    if (LOADED.contains(part)) {
      return null;
    }
    String install = INSTALL.getOrDefault(part, INSTALL_DRIVER);
    try {
      Natives.load(part);
      LOADED.add(part);
      return null;
    } catch (FileNotFoundException e) {
      return new Missing(
          oneLine(e),
          "use Linux or Windows on x86-64, with JCuda's jar of native parts for it" + OR_CPU,
          e);
    } catch (IOException e) {
      return new Missing(
          "JCuda's native part cannot be unpacked " + e.getMessage(),
          "give -Dquern.cache a folder of your own, with 2 MiB of room" + OR_CPU,
          e);
    } catch (LinkageError | CudaException e) {
      return new Missing("%s cannot be loaded: %s".formatted(name(part), oneLine(e)), install, e);
    }
  }

  private static String name(Part part) {
    return switch (part) {
      case DRIVER -> "the NVIDIA driver";
      case CUBLAS -> "cuBLAS";
      case NVRTC -> "NVRTC";
    };
  }

  private static String oneLine(Throwable e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
  }

  private static @Nullable Missing initialize() {
    int code = JCudaDriver.cuInit(0);
    if (code != CUresult.CUDA_SUCCESS) {
      return refused("cuInit", code);
    }
    int[] version = new int[1];
    code = JCudaDriver.cuDriverGetVersion(version);
    if (code != CUresult.CUDA_SUCCESS) {
      return refused("cuDriverGetVersion", code);
    }
    if (version[0] < LEAST_DRIVER) {
      return new Missing(
          "the NVIDIA driver is too old: it knows CUDA %d.%d, and 12.0 is needed"
              .formatted(version[0] / 1000, version[0] % 1000 / 10),
          INSTALL_DRIVER,
          null);
    }
    driverVersion = version[0];
    return null;
  }

  private static Missing refused(String call, int code) {
    String name = "%s (%d)".formatted(CUresult.stringFor(code), code);
    if (code == CUresult.CUDA_ERROR_NO_DEVICE) {
      return noDevice(name);
    }
    return new Missing(
        "the NVIDIA driver does not start: %s: %s".formatted(call, name),
        "see whether nvidia-smi works; after an update of the driver, restart the machine" + OR_CPU,
        null);
  }

  /// {@return what to say where there is a driver and nothing for it to drive}
  ///
  /// @param why what tells so
  static Missing noDevice(String why) {
    return new Missing(
        "the NVIDIA driver is here, but no GPU: " + why,
        "see whether nvidia-smi lists one and CUDA_VISIBLE_DEVICES hides it; in a container, start"
            + " it with --gpus all"
            + OR_CPU,
        null);
  }
}
