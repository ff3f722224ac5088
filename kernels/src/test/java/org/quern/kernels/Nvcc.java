package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/// The CUDA compiler, where it is installed.
final class Nvcc {
  private Nvcc() {}

  /// Skips a test where the compiler is not.
  static void require() throws InterruptedException {
    Assumptions.assumeTrue(answers("nvcc") && answers("ptxas"), "nvcc is not installed");
  }

  private static boolean answers(String program) throws InterruptedException {
    try {
      return new ProcessBuilder(program, "--version")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    }
  }

  /// Compiles variants to PTX, all in one file.
  ///
  /// @param ptx where it goes
  /// @param target compute capability, such as 80
  static void compile(List<KernelVariant> variants, Path ptx, int target) {
    Path file = ptx.resolveSibling(ptx.getFileName() + ".cu");
    try {
      Files.writeString(file, text(variants));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    String arch = "-arch=compute_" + target;
    run(ptx, "nvcc", "-ptx", "-std=c++17", arch, "-diag-suppress=177", "-o", name(ptx), name(file));
  }

  /// {@return what the assembler tells of each kernel of a file}
  ///
  /// @param ptx from [#compile]
  /// @param target compute capability of the device
  /// @throws AssertionError if a kernel needs more registers than there are
  static String assemble(Path ptx, int target) {
    String arch = "-arch=sm_" + target;
    Path out = ptx.resolveSibling("sm_" + target + ".cubin");
    return run(ptx, "ptxas", "-v", "-warn-spills", "-Werror", arch, "-o", name(out), name(ptx));
  }

  private static String name(Path path) {
    return path.toString();
  }

  private static String run(Path beside, String... command) {
    try {
      Path log = Files.createTempFile(beside.toAbsolutePath().getParent(), command[0], ".log");
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      assertTrue(process.waitFor(5, TimeUnit.MINUTES), command[0] + " takes too long");
      String out = Files.readString(log);
      assertEquals(0, process.exitValue(), out);
      return out;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
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
