package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Assumptions;

/// Runs kernels under oclgrind, a simulator that reports data races, accesses out of bounds,
/// barriers that not all items reach, and wrong calls of OpenCL.
///
/// ```java
/// Oclgrind.require();
/// Oclgrind.Result result = Oclgrind.run(Sweep.class, Duration.ofMinutes(5), List.of(), "add_forward");
/// assertEquals("", result.log(), result.output());
/// assertEquals(0, result.exit(), result.output());
/// ```
///
/// The class is run in a JVM of its own, where oclgrind is the OpenCL library: it finds one device,
/// number 0 of [OpenClProvider]. It should use small shapes (up to 64 x 64 x 64), should not try to
/// run out of memory, which ends the process, and should end with another exit code than 0 when its
/// own checks fail, as it does when an exception leaves `main`. Oclgrind itself never fails the
/// process: the log must be looked at.
final class Oclgrind {
  private static final String LIBRARY = "liboclgrind-rt.so";

  private Oclgrind() {}

  /// What a run left.
  ///
  /// @param exit the process's exit code
  /// @param output its standard output, then its standard error
  /// @param log what oclgrind found; empty if nothing
  record Result(int exit, String output, String log) {}

  /// Skips the test where oclgrind is not installed; fails it where the environment says `CI=true`.
  static void require() {
    if (library() == null) {
      String text = LIBRARY + " is not here: apt-get install oclgrind";
      if ("true".equals(System.getenv("CI"))) {
        fail("CI=true, and " + text);
      }
      Assumptions.abort(text);
    }
  }

  /// Runs a class under oclgrind and waits for it.
  ///
  /// @param main has a `main(String[])`, and lies in this module's tests
  /// @param limit after which the process is killed and the test fails
  /// @param options for the JVM, such as `-Dname=value`
  /// @param arguments for `main`
  /// @return what it left
  static Result run(Class<?> main, Duration limit, List<String> options, String... arguments)
      throws IOException, InterruptedException {
    Path library = library();
    if (library == null) {
      throw new IllegalStateException(LIBRARY + " is not here: call require() before");
    }
    Path log = Files.createTempFile("quern-oclgrind", ".log");
    try {
      Map<String, String> environment =
          Map.of(
              "OCLGRIND_LOG", log.toString(),
              "OCLGRIND_DATA_RACES", "1",
              "OCLGRIND_CHECK_API", "1",
              "OCLGRIND_MAX_ERRORS", "20");
      List<String> all = new ArrayList<>(options);
      all.add("-Dorg.lwjgl.opencl.libname=" + library);
      all.add("-Dquern.cache=off");
      Fork.Result result = Fork.run(main, limit, environment, all, arguments);
      return new Result(result.exit(), result.out() + result.err(), Files.readString(log).strip());
    } finally {
      Files.deleteIfExists(log);
    }
  }

  private static @Nullable Path library() {
    for (String folder : List.of("/usr/lib", "/usr/local/lib", "/opt/oclgrind/lib")) {
      Path path = Path.of(folder);
      if (Files.isRegularFile(path.resolve(LIBRARY))) {
        return path.resolve(LIBRARY);
      }
      Path below = Files.isDirectory(path) ? below(path) : null;
      if (below != null) {
        return below;
      }
    }
    return null;
  }

  /// Looks in `folder/*/` and `folder/*/oclgrind/`, such as `/usr/lib/x86_64-linux-gnu/oclgrind`.
  private static @Nullable Path below(Path folder) {
    try (DirectoryStream<Path> folders = Files.newDirectoryStream(folder, Files::isDirectory)) {
      for (Path f : folders) {
        for (Path candidate : List.of(f.resolve(LIBRARY), f.resolve("oclgrind/" + LIBRARY))) {
          if (Files.isRegularFile(candidate)) {
            return candidate;
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return null;
  }
}
