package org.quern.opencl;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.lwjgl.PointerBuffer;
import org.lwjgl.opencl.CL10;
import org.lwjgl.opencl.KHRICD;
import org.lwjgl.system.MemoryStack;
import org.quern.core.DeviceException;
import org.quern.core.DeviceInfo;

/// The devices of all platforms: those that can be used, GPUs first, and why the others cannot.
///
/// @param platforms how many platforms there are
/// @param usable in the order in which users number them
/// @param refused a line a device that cannot be used: name and reason
record Devices(int platforms, List<OpenClDevice> usable, List<String> refused) {
  private static final String BACKEND = "opencl";

  /// A device before it has a number.
  private record Candidate(long platform, long id, Facts facts) {}

  /// {@return what there is now}
  ///
  /// @throws DeviceException if the loader fails
  static Devices find() {
    List<Candidate> good = new ArrayList<>();
    List<String> refused = new ArrayList<>();
    long[] platforms = platformIds();
    for (long platform : platforms) {
      try {
        for (long device : deviceIds(platform)) {
          sort(platform, device, good, refused);
        }
      } catch (DeviceException e) {
        refused.add("a platform: " + e.getMessage());
      }
    }
    good.sort(Comparator.comparingInt(c -> c.facts.rank())); // stable
    return new Devices(platforms.length, number(good, refused), List.copyOf(refused));
  }

  private static void sort(long platform, long device, List<Candidate> good, List<String> refused) {
    try {
      Facts facts = Facts.ask(platform, device);
      String refusal = facts.refusal();
      if (refusal == null) {
        good.add(new Candidate(platform, device, facts));
      } else {
        refused.add("%s (%s): %s".formatted(facts.name(), facts.platform(), refusal));
      }
    } catch (DeviceException e) {
      refused.add("a device: " + e.getMessage());
    }
  }

  private static List<OpenClDevice> number(List<Candidate> good, List<String> refused) {
    List<OpenClDevice> out = new ArrayList<>();
    for (Candidate c : good) {
      Map<String, String> details = new LinkedHashMap<>(c.facts.details());
      if (out.isEmpty() && !refused.isEmpty()) {
        details.put("cannot be used", String.join("; ", refused));
      }
      DeviceInfo info =
          new DeviceInfo(
              BACKEND, out.size(), c.facts.name(), c.facts.limits().memoryBytes(), details);
      out.add(new OpenClDevice(c.platform, c.id, info, c.facts.limits(), c.facts.identity()));
    }
    return List.copyOf(out);
  }

  private static long[] platformIds() {
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var count = stack.callocInt(1);
      int code = CL10.clGetPlatformIDs(null, count);
      if (code == KHRICD.CL_PLATFORM_NOT_FOUND_KHR || (count.get(0) == 0 && code == 0)) {
        return new long[0];
      }
      Codes.check(code, "clGetPlatformIDs", "this machine");
      PointerBuffer ids = stack.callocPointer(count.get(0));
      Codes.check(CL10.clGetPlatformIDs(ids, count), "clGetPlatformIDs", "this machine");
      return longs(ids);
    }
  }

  private static long[] deviceIds(long platform) {
    String whom = "a platform";
    try (MemoryStack stack = MemoryStack.stackPush()) {
      var count = stack.callocInt(1);
      long type = CL10.CL_DEVICE_TYPE_ALL;
      int code = CL10.clGetDeviceIDs(platform, type, null, count);
      if (code == CL10.CL_DEVICE_NOT_FOUND || (count.get(0) == 0 && code == 0)) {
        return new long[0];
      }
      Codes.check(code, "clGetDeviceIDs", whom);
      PointerBuffer ids = stack.callocPointer(count.get(0));
      Codes.check(CL10.clGetDeviceIDs(platform, type, ids, count), "clGetDeviceIDs", whom);
      return longs(ids);
    }
  }

  private static long[] longs(PointerBuffer buffer) {
    long[] out = new long[buffer.remaining()];
    buffer.get(out);
    return out;
  }
}
