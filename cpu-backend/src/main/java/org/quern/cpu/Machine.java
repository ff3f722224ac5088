package org.quern.cpu;

import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// What this computer is.
final class Machine {
  /// The alignment of our memory in bytes: loads of whole vectors then stay within a line.
  static final long CACHE_LINE = 64;

  private Machine() {}

  /// {@return the physical memory in bytes, or what the container may use}
  static long memory() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getTotalMemorySize();
  }

  /// {@return the processor's name, where the system tells; else the architecture}
  static String processor() {
    String name = described("model name");
    return name.isEmpty() ? System.getProperty("os.arch", "unknown processor") : name;
  }

  /// {@return what the processor has and the system lets programs use, in Linux's words; empty
  /// elsewhere}
  static Set<String> flags() {
    return new HashSet<>(List.of(described("flags").split(" +")));
  }

  /// {@return whether the processor is AMD's}
  static boolean isAmd() {
    return described("vendor_id").equals("AuthenticAMD");
  }

  /// {@return whether this is Linux on x86-64}
  static boolean isLinuxOnX64() {
    return System.getProperty("os.name", "").equals("Linux")
        && System.getProperty("os.arch", "").equals("amd64");
  }

  /// {@return what Linux says of the first processor, or "" where nothing does}
  private static String described(String key) {
    Path info = Path.of("/proc/cpuinfo");
    if (!Files.isReadable(info)) {
      return "";
    }
    try (BufferedReader lines = Files.newBufferedReader(info)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        int colon = line.indexOf(':');
        if (colon > 0 && line.substring(0, colon).strip().equals(key)) {
          return line.substring(colon + 1).strip();
        }
      }
    } catch (IOException e) {
      return ""; // nice to have, no more
    }
    return "";
  }

  /// {@return whether the Vector API can be used}
  static boolean hasVectorModule() {
    return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
  }
}
