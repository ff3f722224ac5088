package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the probe says where there is no library, or no driver behind it.
class MissingOpenClTest {
  private static final Duration LIMIT = Duration.ofMinutes(1);

  private static void missing(String reason, Map<String, String> environment, String... options)
      throws IOException, InterruptedException {
    Fork.Result result = Fork.run(ProbeRun.class, LIMIT, environment, List.of(options));
    assertEquals(0, result.exit(), result.err());
    assertEquals("", result.err());
    List<String> lines = result.out().lines().toList();
    assertEquals(2, lines.size(), result.out());
    assertEquals(lines.get(0), lines.get(1), "a second try fares no worse");
    assertTrue(lines.get(0).startsWith("5 " + reason), result.out());
    assertTrue(lines.get(0).contains("apt-get install"), result.out());
    assertTrue(lines.get(0).contains("-Dquern.backend=cpu"), result.out());
  }

  @Test
  void saysThatThereIsNoLibrary() throws Exception {
    missing(
        "OpenCL cannot be loaded: no library named /nonexistent |",
        Map.of(),
        "-Dorg.lwjgl.opencl.libname=/nonexistent");
  }

  @Test
  void saysThatTheLoaderHasNoDriver(@TempDir Path empty) throws Exception {
    Present.require();
    missing("an OpenCL loader is here, but no driver", Map.of("OCL_ICD_VENDORS", empty.toString()));
  }

  @Test
  void saysThatALibraryIsNotOpenCl() throws Exception {
    Path other = Path.of(System.getProperty("java.home"), "lib", System.mapLibraryName("zip"));
    if (!Files.isRegularFile(other)) {
      return; // a JDK of another make
    }
    Fork.Result result =
        Fork.run(ProbeRun.class, LIMIT, Map.of(), List.of("-Dorg.lwjgl.opencl.libname=" + other));
    assertEquals(0, result.exit(), result.err());
    assertTrue(result.out().contains("5 "), result.out());
    assertEquals("", result.err());
  }
}
