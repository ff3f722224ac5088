package org.quern.cuda;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/// Builds the emulator into `target/cuda-emulator/`, in a folder named by a hash of its sources, so
/// that it is built once for all tests. Two JVMs may want it at once: one builds, the other waits.
final class EmulatorBuild {
  private EmulatorBuild() {}

  /// {@return whether g++ can be started}
  static boolean compilerInstalled() {
    try {
      return new ProcessBuilder("g++", "--version")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /// {@return the folder of the libraries, which are there}
  static Path folder() {
    try {
      Path module = module();
      Path sources = module.resolve("src/test/cuda-emulator");
      Path all = Files.createDirectories(module.resolve("target/cuda-emulator"));
      Path folder = all.resolve(hash(sources));
      try (FileChannel channel =
              FileChannel.open(
                  all.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
          FileLock lock = channel.lock()) {
        if (lock.isValid() && !Files.isDirectory(folder)) {
          build(sources, folder);
        }
        return folder;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// {@return a folder beside the emulator's with links to some of its libraries}
  ///
  /// @param folder the emulator's
  /// @param libraries which
  static Path folderWith(Path folder, Emulator.Library... libraries) {
    try {
      Path some = Files.createTempDirectory(folder, "some");
      for (Emulator.Library library : libraries) {
        Files.createSymbolicLink(some.resolve(library.file), folder.resolve(library.file));
      }
      return some;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Tests run in the folder of their module, which need not be this one.
  private static Path module() throws IOException {
    for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
      for (Path candidate : List.of(p, p.resolve("cuda-backend"))) {
        if (Files.isRegularFile(candidate.resolve("src/test/cuda-emulator/build.sh"))) {
          return candidate;
        }
      }
    }
    throw new IOException("src/test/cuda-emulator is not here");
  }

  private static String hash(Path sources) throws IOException {
    try (Stream<Path> files = Files.walk(sources)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        if (!file.toString().endsWith(".md") && !file.startsWith(sources.resolve("selftest"))) {
          digest.update(sources.relativize(file).toString().getBytes(UTF_8));
          digest.update(Files.readAllBytes(file));
        }
      }
      return HexFormat.of().formatHex(digest.digest(), 0, 8);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void build(Path sources, Path folder) throws IOException {
    Path unfinished = folder.resolveSibling(folder.getFileName() + ".unfinished");
    Path log = folder.resolveSibling(folder.getFileName() + ".log");
    try {
      int code =
          new ProcessBuilder(sources.resolve("build.sh").toString(), unfinished.toString())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start()
              .waitFor();
      if (code != 0) {
        throw new IOException(
            "the emulator does not compile (code %d):%n%s".formatted(code, Files.readString(log)));
      }
      Files.move(unfinished, folder, StandardCopyOption.ATOMIC_MOVE);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    }
  }
}
