package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The emulator has every function that JCuda binds, in the version that it asks for. JCuda is
/// loaded without looking: the first call of a function that is missing ends the process.
class EmulatedBindingsTest {
  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"libJCudaDriver", "libJCublas2", "libJNvrtc"})
  void everyFunctionIsThere(String binding) throws IOException, InterruptedException {
    Path library = folder.resolve(binding + ".so");
    String resource = "lib/%s-12.6.0-linux-x86_64.so".formatted(binding);
    try (InputStream in = ClassLoader.getSystemResourceAsStream(resource)) {
      assertNotNull(in, resource);
      Files.copy(in, library);
    }
    Path out = folder.resolve("out");
    ProcessBuilder ldd =
        new ProcessBuilder(List.of("ldd", "-r", library.toString()))
            .redirectErrorStream(true)
            .redirectOutput(out.toFile());
    Path libraries = Emulator.build();
    ldd.environment().put("LD_LIBRARY_PATH", libraries.toString());
    assertEquals(0, ldd.start().waitFor());
    List<String> lines = Files.readAllLines(out);
    assertTrue(lines.stream().anyMatch(l -> l.contains("=> " + libraries)), lines.toString());
    List<String> wrong =
        lines.stream()
            .filter(
                l -> l.contains("undefined") || l.contains("not found") || l.contains("version"))
            .toList();
    assertEquals(List.of(), wrong);
  }
}
