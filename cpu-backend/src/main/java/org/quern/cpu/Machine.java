package org.quern.cpu;

import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

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
    String architecture = System.getProperty("os.arch", "unknown processor");
    Path info = Path.of("/proc/cpuinfo");
    if (!Files.isReadable(info)) {
      return architecture;
    }
    try (BufferedReader lines = Files.newBufferedReader(info)) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("model name") && line.indexOf(':') > 0) {
          String name = line.substring(line.indexOf(':') + 1).strip();
          return name.isEmpty() ? architecture : name;
        }
      }
    } catch (IOException e) {
      return architecture; // a name is nice to have, no more
    }
    return architecture;
  }

  /// {@return whether the Vector API can be used}
  static boolean hasVectorModule() {
    return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
  }
}
