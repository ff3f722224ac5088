package org.quern.opencl;

import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.lwjgl.opencl.CL10;
import org.lwjgl.opencl.CL11;
import org.quern.kernels.DeviceLimits;

/// What a driver says about a device, and what follows from it.
///
/// @param name the device's
/// @param vendor the device's
/// @param type bits of `CL_DEVICE_TYPE`
/// @param platform the platform's name
/// @param platformVersion such as `OpenCL 3.0 PoCL 3.1`
/// @param version such as `OpenCL 3.0 PoCL`
/// @param driver the driver's version
/// @param language such as `OpenCL C 1.2 PoCL`
/// @param profile `FULL_PROFILE` or `EMBEDDED_PROFILE`
/// @param available whether it can be used at present
/// @param compiler whether the driver can compile
/// @param littleEndian the order of its bytes
/// @param limits its numbers
record Facts(
    String name,
    String vendor,
    long type,
    String platform,
    String platformVersion,
    String version,
    String driver,
    String language,
    String profile,
    boolean available,
    boolean compiler,
    boolean littleEndian,
    DeviceLimits limits) {
  private static final Pattern VERSION = Pattern.compile("OpenCL (\\d+)\\.(\\d+)");
  private static final long LEAST_LOCAL = 16 << 10;
  private static final int LEAST_GROUP = 16;
  private static final long COMPUTES_FAST =
      CL10.CL_DEVICE_TYPE_GPU | CL10.CL_DEVICE_TYPE_ACCELERATOR;

  /// {@return the answers of a device's driver}
  ///
  /// @param platform a `cl_platform_id`
  /// @param device a `cl_device_id`
  static Facts ask(long platform, long device) {
    return new Facts(
        Queries.device(device, CL10.CL_DEVICE_NAME).replaceAll("\\s+", " "),
        Queries.device(device, CL10.CL_DEVICE_VENDOR),
        Queries.int64(device, CL10.CL_DEVICE_TYPE),
        Queries.platform(platform, CL10.CL_PLATFORM_NAME),
        Queries.platform(platform, CL10.CL_PLATFORM_VERSION),
        Queries.device(device, CL10.CL_DEVICE_VERSION),
        Queries.device(device, CL10.CL_DRIVER_VERSION),
        Queries.device(device, CL11.CL_DEVICE_OPENCL_C_VERSION),
        Queries.device(device, CL10.CL_DEVICE_PROFILE),
        Queries.int32(device, CL10.CL_DEVICE_AVAILABLE) != 0,
        Queries.int32(device, CL10.CL_DEVICE_COMPILER_AVAILABLE) != 0,
        Queries.int32(device, CL10.CL_DEVICE_ENDIAN_LITTLE) != 0,
        limits(device));
  }

  private static DeviceLimits limits(long device) {
    boolean gpu = (Queries.int64(device, CL10.CL_DEVICE_TYPE) & COMPUTES_FAST) != 0;
    long group =
        Math.min(
            Queries.size(device, CL10.CL_DEVICE_MAX_WORK_GROUP_SIZE),
            Queries.size(device, CL10.CL_DEVICE_MAX_WORK_ITEM_SIZES));
    int vector = Queries.int32(device, CL11.CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    return new DeviceLimits(
        gpu ? DeviceLimits.Kind.GPU : DeviceLimits.Kind.CPU,
        Queries.int32(device, CL10.CL_DEVICE_MAX_COMPUTE_UNITS),
        (int) Math.min(group, Integer.MAX_VALUE),
        Queries.int64(device, CL10.CL_DEVICE_LOCAL_MEM_SIZE),
        Queries.int64(device, CL10.CL_DEVICE_MAX_MEM_ALLOC_SIZE),
        Queries.int64(device, CL10.CL_DEVICE_GLOBAL_MEM_SIZE),
        gpu ? 1 : Math.max(vector, 1));
  }

  /// {@return why the device cannot be used; null if it can}
  @Nullable String refusal() {
    if ((type & (COMPUTES_FAST | CL10.CL_DEVICE_TYPE_CPU)) == 0) {
      return "it is neither a GPU, an accelerator nor a CPU";
    }
    if (!available) {
      return "its driver says that it is not available";
    }
    if (!compiler) {
      return "its driver has no compiler";
    }
    if (!profile.equals("FULL_PROFILE")) {
      return "it has the profile " + profile + ", FULL_PROFILE is needed";
    }
    if (older(version)) {
      return "it has '" + version + "', OpenCL 1.2 or newer is needed";
    }
    if (!littleEndian || ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
      return "its bytes are not in little-endian order";
    }
    if (limits.localBytes() < LEAST_LOCAL) {
      return "it has %d bytes of local memory, %d are needed"
          .formatted(limits.localBytes(), LEAST_LOCAL);
    }
    if (limits.groupSize() < LEAST_GROUP) {
      return "its work-groups have at most %d items, %d are needed"
          .formatted(limits.groupSize(), LEAST_GROUP);
    }
    return null;
  }

  private static boolean older(String version) {
    Matcher m = VERSION.matcher(version);
    if (!m.find()) {
      return true;
    }
    int major = Integer.parseInt(m.group(1));
    return major < 1 || (major == 1 && Integer.parseInt(m.group(2)) < 2);
  }

  /// {@return where it stands in the list: GPUs first}
  int rank() {
    if ((type & CL10.CL_DEVICE_TYPE_GPU) != 0) {
      return 0;
    }
    return (type & CL10.CL_DEVICE_TYPE_ACCELERATOR) != 0 ? 1 : 2;
  }

  /// {@return what is worth showing, in order}
  Map<String, String> details() {
    Map<String, String> out = new LinkedHashMap<>();
    out.put("type", List.of("GPU", "accelerator", "CPU").get(rank()));
    out.put("platform", "%s, %s".formatted(platform, platformVersion));
    out.put("driver", driver);
    out.put("language", language);
    out.put("compute units", Integer.toString(limits.units()));
    out.put("local memory", kibibytes(limits.localBytes()));
    out.put("largest group", Integer.toString(limits.groupSize()));
    out.put("largest buffer", mebibytes(limits.bufferBytes()));
    out.put("f16", "storage; the kernels compute in f32");
    return out;
  }

  private static String kibibytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f KiB", bytes / 1024.0);
  }

  private static String mebibytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f MiB", bytes / (double) (1 << 20));
  }

  /// {@return all that a compiled program depends on, beside its text and options}
  String identity() {
    return String.join("\n", name, vendor, version, driver, platform, platformVersion);
  }
}
