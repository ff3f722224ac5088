package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The portable kernels and the ladder are CUDA C too: nvcc compiles every storage and option of
/// them, where it is installed.
class CudaTextTest {
  @TempDir Path folder;

  static List<KernelSpec> kernels() {
    return Stream.concat(Catalogue.all().stream(), Ladder.all().stream()).toList();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kernels")
  void compilesAsCuda(KernelSpec spec) throws IOException, InterruptedException {
    Assumptions.assumeTrue(installed(), "nvcc is not installed");
    Path file = folder.resolve(spec.entry() + ".cu");
    Files.writeString(file, text(spec.variants(Tuning.gpu())));
    Path log = folder.resolve("log");
    Process nvcc =
        new ProcessBuilder(
                "nvcc",
                "-ptx",
                "-arch=sm_80",
                "-diag-suppress=177",
                "-o",
                "/dev/null",
                file.toString())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    assertTrue(nvcc.waitFor(5, TimeUnit.MINUTES), "nvcc takes too long");
    assertEquals(0, nvcc.exitValue(), () -> read(log));
  }

  private static String read(Path log) {
    try {
      return Files.readString(log);
    } catch (IOException e) {
      return e.toString();
    }
  }

  private static boolean installed() throws InterruptedException {
    try {
      Process p =
          new ProcessBuilder("nvcc", "--version")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      return p.waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }

  /// All variants in one file, each in a namespace of its own: starting nvcc takes longer than
  /// compiling.
  private static String text(List<KernelVariant> variants) {
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < variants.size(); i++) {
      KernelVariant v = variants.get(i);
      out.append("namespace v%d {%n".formatted(i));
      for (Map.Entry<String, String> d : v.definitions().entrySet()) {
        out.append("#define %s %s%n".formatted(d.getKey(), d.getValue()));
      }
      out.append("#define %s %s_%d%n".formatted(v.entry(), v.entry(), i));
      out.append(v.source());
      out.append("#undef %s%n".formatted(v.entry()));
      v.source()
          .lines()
          .filter(l -> l.startsWith("#define "))
          .map(l -> l.substring("#define ".length()).split("[ (]", 2)[0])
          .forEach(name -> out.append("#undef %s%n".formatted(name)));
      v.definitions().keySet().forEach(name -> out.append("#undef %s%n".formatted(name)));
      out.append("}\n");
    }
    return out.toString();
  }
}
