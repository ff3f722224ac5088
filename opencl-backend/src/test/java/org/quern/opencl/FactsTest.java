package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.lwjgl.opencl.CL10;
import org.lwjgl.opencl.CL12;
import org.quern.kernels.DeviceLimits;

/// Which devices can be used, by what their drivers say; without a driver.
class FactsTest {
  private static final DeviceLimits LIMITS =
      new DeviceLimits(DeviceLimits.Kind.GPU, 8, 256, 32 << 10, 1 << 30, 1L << 32, 1);

  /// A usable device, but for what a test changes.
  private static Facts facts(
      long type, String version, String profile, boolean[] flags, DeviceLimits limits) {
    return new Facts(
        "Device",
        "Vendor",
        type,
        "Platform",
        "OpenCL 3.0 Platform",
        version,
        "1.0",
        "OpenCL C 1.2",
        profile,
        flags[0],
        flags[1],
        flags[2],
        limits);
  }

  private static Facts gpu(String version) {
    boolean[] flags = {true, true, true};
    return facts(CL10.CL_DEVICE_TYPE_GPU, version, "FULL_PROFILE", flags, LIMITS);
  }

  private static void refused(String why, Facts facts) {
    String refusal = facts.refusal();
    assertNotNull(refusal, why);
    assertTrue(refusal.contains(why), refusal);
  }

  @Test
  void takesDevicesFrom12On() {
    for (String version : List.of("OpenCL 1.2 x", "OpenCL 2.0 ", "OpenCL 3.0 CUDA 12.6")) {
      assertNull(gpu(version).refusal(), version);
    }
    refused("OpenCL 1.2 or newer", gpu("OpenCL 1.1 x"));
    refused("OpenCL 1.2 or newer", gpu("OpenCL 0.9"));
    refused("OpenCL 1.2 or newer", gpu("nonsense"));
  }

  @Test
  void saysWhyADeviceCannotBeUsed() {
    boolean[] all = {true, true, true};
    long gpu = CL10.CL_DEVICE_TYPE_GPU;
    String full = "FULL_PROFILE";
    String version = "OpenCL 1.2";
    refused("neither", facts(CL12.CL_DEVICE_TYPE_CUSTOM, version, full, all, LIMITS));
    refused("EMBEDDED_PROFILE", facts(gpu, version, "EMBEDDED_PROFILE", all, LIMITS));
    refused("not available", facts(gpu, version, full, new boolean[] {false, true, true}, LIMITS));
    refused("no compiler", facts(gpu, version, full, new boolean[] {true, false, true}, LIMITS));
    refused("little-endian", facts(gpu, version, full, new boolean[] {true, true, false}, LIMITS));
    refused(
        "local memory",
        facts(
            gpu,
            version,
            full,
            all,
            new DeviceLimits(DeviceLimits.Kind.GPU, 8, 256, 16383, 1 << 30, 1L << 32, 1)));
    refused(
        "work-groups",
        facts(
            gpu,
            version,
            full,
            all,
            new DeviceLimits(DeviceLimits.Kind.GPU, 8, 15, 32 << 10, 1 << 30, 1L << 32, 1)));
  }

  @Test
  void putsGpusFirst() {
    boolean[] all = {true, true, true};
    long cpuAndGpu = CL10.CL_DEVICE_TYPE_CPU | CL10.CL_DEVICE_TYPE_GPU;
    String full = "FULL_PROFILE";
    assertEquals(0, facts(cpuAndGpu, "OpenCL 1.2", full, all, LIMITS).rank());
    assertEquals(1, facts(CL10.CL_DEVICE_TYPE_ACCELERATOR, "OpenCL 1.2", full, all, LIMITS).rank());
    assertEquals(2, facts(CL10.CL_DEVICE_TYPE_CPU, "OpenCL 1.2", full, all, LIMITS).rank());
  }

  @Test
  void anotherDriverIsAnotherIdentity() {
    assertNotEquals(gpu("OpenCL 1.2 a").identity(), gpu("OpenCL 1.2 b").identity());
  }

  @Test
  void tellsNoDriverFromNoDeviceFromNoUsableOne() {
    assertTrue(reason(new Devices(0, List.of(), List.of())).contains("no driver"));
    assertTrue(reason(new Devices(2, List.of(), List.of())).contains("no device"));
    assertTrue(reason(new Devices(1, List.of(), List.of("X (Y): old"))).contains("X (Y): old"));
  }

  private static String reason(Devices devices) {
    var missing = OpenClProvider.judge(devices);
    assertNotNull(missing);
    assertTrue(missing.remedy().contains("quern.backend=cpu"), missing.remedy());
    return missing.reason();
  }
}
