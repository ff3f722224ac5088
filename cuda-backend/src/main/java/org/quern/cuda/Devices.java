package org.quern.cuda;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdevice_attribute;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;
import org.quern.core.Availability.Missing;
import org.quern.core.DeviceException;
import org.quern.core.DeviceInfo;
import org.quern.kernels.DeviceLimits;

/// The devices that the driver knows: those that can be used, and why the others cannot.
///
/// @param usable in the order in which users number them, which is the driver's
/// @param refused a line a device that cannot be used: name and reason
record Devices(List<CudaDevice> usable, List<String> refused) {
  /// Turing: the oldest that CUDA 13 still knows, and that the shipped kernels are made for.
  static final int LEAST_CAPABILITY = 75;

  private static final String MACHINE = "this machine";

  /// {@return what there is now}
  ///
  /// @throws DeviceException if the driver fails
  static Devices find() {
    int[] count = new int[1];
    Codes.check(JCudaDriver.cuDeviceGetCount(count), "cuDeviceGetCount", MACHINE);
    List<CudaDevice> usable = new ArrayList<>();
    List<String> refused = new ArrayList<>();
    for (int ordinal = 0; ordinal < count[0]; ordinal++) {
      try {
        CudaDevice device = ask(ordinal, usable.size());
        if (device.capability() < LEAST_CAPABILITY) {
          refused.add(
              "%s: it has compute capability %s, 7.5 or newer is needed"
                  .formatted(device.name(), dotted(device.capability())));
        } else {
          usable.add(device);
        }
      } catch (DeviceException e) {
        refused.add("device %d: %s".formatted(ordinal, e.getMessage()));
      }
    }
    return new Devices(List.copyOf(usable), List.copyOf(refused));
  }

  /// {@return why none of the devices can be used; null if one can}
  @Nullable Missing missing() {
    if (!usable.isEmpty()) {
      return null;
    }
    if (refused.isEmpty()) {
      return Libraries.noDevice("it counts none");
    }
    return new Missing(
        "no NVIDIA GPU can be used: " + String.join("; ", refused),
        "update the driver" + Libraries.OR_CPU,
        null);
  }

  private static CudaDevice ask(int ordinal, int index) {
    String whom = "device " + ordinal;
    CUdevice device = new CUdevice();
    Codes.check(JCudaDriver.cuDeviceGet(device, ordinal), "cuDeviceGet", whom);
    byte[] name = new byte[256];
    Codes.check(JCudaDriver.cuDeviceGetName(name, name.length, device), "cuDeviceGetName", whom);
    long[] memory = new long[1];
    Codes.check(JCudaDriver.cuDeviceTotalMem(memory, device), "cuDeviceTotalMem", whom);
    int capability =
        10 * attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
            + attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    // The kernels are made for what every device has, in the 48 KiB that need no permission.
    DeviceLimits limits =
        new DeviceLimits(
            DeviceLimits.Kind.GPU,
            attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
            attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK),
            attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK),
            memory[0],
            memory[0],
            1);
    boolean ordered =
        attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) != 0;
    CudaDevice.Memory kind =
        ordered ? CudaDevice.Memory.STREAM_ORDERED : CudaDevice.Memory.IMMEDIATE;
    DeviceInfo info =
        new DeviceInfo(
            "cuda", index, text(name), memory[0], details(device, limits, capability, kind));
    return new CudaDevice(ordinal, info, limits, capability, kind, Libraries.driverVersion());
  }

  private static int attribute(CUdevice device, int which) {
    int[] value = new int[1];
    Codes.check(
        JCudaDriver.cuDeviceGetAttribute(value, which, device),
        "cuDeviceGetAttribute",
        "a device, attribute " + which);
    return value[0];
  }

  private static String text(byte[] zeroTerminated) {
    String all = new String(zeroTerminated, StandardCharsets.UTF_8);
    int end = all.indexOf('\0');
    return (end < 0 ? all : all.substring(0, end)).strip();
  }

  private static String dotted(int capability) {
    return "%d.%d".formatted(capability / 10, capability % 10);
  }

  /// {@return what is worth showing, in order}
  private static Map<String, String> details(
      CUdevice device, DeviceLimits limits, int capability, CudaDevice.Memory memory) {
    int driver = Libraries.driverVersion();
    int shared =
        attribute(device, CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    Map<String, String> out = new LinkedHashMap<>();
    out.put("compute capability", dotted(capability));
    out.put("driver", "CUDA %d.%d".formatted(driver / 1000, driver % 1000 / 10));
    out.put("multiprocessors", Integer.toString(limits.units()));
    out.put(
        "shared memory",
        String.format(
            Locale.ROOT,
            "%.0f KiB, at most %.0f KiB",
            limits.localBytes() / 1024.0,
            shared / 1024.0));
    out.put("memory", memory == CudaDevice.Memory.STREAM_ORDERED ? "in stream order" : "at once");
    out.put("products", or("cuBLAS", Libraries.cublas(), "own kernels"));
    out.put("compiler", or("NVRTC", Libraries.nvrtc(), "none, the kernels come compiled"));
    return out;
  }

  private static String or(String library, @Nullable Missing missing, String otherwise) {
    return missing == null
        ? library
        : "%s; %s; %s".formatted(otherwise, missing.reason(), missing.remedy());
  }
}
