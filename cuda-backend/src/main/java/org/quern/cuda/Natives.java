package org.quern.cuda;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import org.jspecify.annotations.Nullable;
import org.quern.io.AtomicFile;
import org.quern.kernels.CacheFolder;

/// Loads JCuda's own native parts from where nobody else can write.
///
/// JCuda's loader unpacks them under fixed names into the folder for temporary files, and takes
/// what lies there already: whoever may write to that folder could put code into this process, and
/// a file that was once cut short would stay for ever. So they are unpacked here, into a folder
/// that belongs to the user alone, and compared byte by byte where they are there. Loading them
/// from there first tells whether what they need is on this machine, and may be tried again, which
/// the initializer of a class may not. JCuda's loader does not notice that they are loaded, but it
/// takes the property `java.io.tmpdir` when it runs, and finds the same file in the folder that it
/// is shown.
final class Natives {
  private static final String TEMPORARY = "java.io.tmpdir";

  /// A native part, and the class that it makes work.
  enum Part {
    /// Calls the driver: needs `libcuda.so.1`.
    DRIVER("JCudaDriver", "jcuda.driver.JCudaDriver"),
    /// Calls cuBLAS: needs `libcublas.so.12`.
    CUBLAS("JCublas2", "jcuda.jcublas.JCublas2"),
    /// Calls NVRTC: needs `libnvrtc.so.12`.
    NVRTC("JNvrtc", "jcuda.nvrtc.JNvrtc");

    private final String library;
    private final String binding;

    Part(String library, String binding) {
      this.library = library;
      this.binding = binding;
    }

    /// {@return the name of its file}
    String file() {
      return LibUtils.createLibraryFileName(
          LibUtils.createPlatformLibraryName(library + "-" + JCudaVersion.get()));
    }
  }

  private Natives() {}

  /// Loads a part, unless that is done.
  ///
  /// @param part which
  /// @throws FileNotFoundException if it is not on the class path
  /// @throws IOException if it cannot be unpacked
  /// @throws LinkageError if what it needs is not on this machine
  static void load(Part part) throws IOException {
    Path cache;
    try {
      cache = CacheFolder.choose(System::getProperty, System::getenv);
    } catch (InvalidPathException e) {
      cache = null;
    }
    load(part, cache);
  }

  /// Loads a part, unless that is done.
  ///
  /// @param part which
  /// @param cache where to unpack it; where this is null or cannot be used, a new folder for
  ///   temporary files
  @SuppressWarnings("restricted")
  static synchronized void load(Part part, @Nullable Path cache) throws IOException {
    byte[] content = content(part);
    Unpacked unpacked = unpack(part, content, cache);
    try {
      System.load(unpacked.folder.resolve(part.file()).toString());
      initialize(part, unpacked.folder);
    } finally {
      if (unpacked.temporary) {
        discard(unpacked.folder, part); // what is loaded stays loaded
      }
    }
  }

  private static byte[] content(Part part) throws IOException {
    String name = "lib/" + part.file();
    ClassLoader loader = Natives.class.getClassLoader();
    try (InputStream in = loader == null ? null : loader.getResourceAsStream(name)) {
      if (in == null) {
        throw new FileNotFoundException(
            "JCuda has no native part for this system on the class path: " + name);
      }
      return in.readAllBytes();
    }
  }

  private record Unpacked(Path folder, boolean temporary) {}

  private static Unpacked unpack(Part part, byte[] content, @Nullable Path cache)
      throws IOException {
    String refusal = "";
    if (cache != null) {
      try {
        Path folder = CacheFolder.make(cache, "jcuda-" + JCudaVersion.get());
        put(folder, part, content);
        return new Unpacked(folder, false);
      } catch (IOException | UncheckedIOException | SecurityException e) {
        refusal = "in %s (%s), nor ".formatted(cache, e.getClass().getSimpleName());
      }
    }
    try {
      return temporary(part, content);
    } catch (IOException | UncheckedIOException e) {
      throw new IOException(
          "%sin %s (%s)"
              .formatted(refusal, System.getProperty(TEMPORARY), e.getClass().getSimpleName()),
          e);
    }
  }

  private static Unpacked temporary(Part part, byte[] content) throws IOException {
    Path folder = Files.createTempDirectory("quern-jcuda-"); // for the user alone
    try {
      put(folder, part, content);
    } catch (IOException | UncheckedIOException e) {
      discard(folder, part);
      throw e;
    }
    return new Unpacked(folder, true);
  }

  /// Writes the file, unless it is there and whole.
  private static void put(Path folder, Part part, byte[] content) throws IOException {
    Path file = folder.resolve(part.file());
    if (!Files.isRegularFile(file) || !Arrays.equals(Files.readAllBytes(file), content)) {
      AtomicFile.write(file, content);
    }
  }

  private static void discard(Path folder, Part part) {
    try {
      Files.deleteIfExists(folder.resolve(part.file()));
      Files.deleteIfExists(folder);
    } catch (IOException e) {
      // Windows keeps the file of a library that is loaded.
    }
  }

  private static void initialize(Part part, Path folder) {
    String before = System.setProperty(TEMPORARY, folder.toString());
    try {
      Class.forName(part.binding, true, Natives.class.getClassLoader());
    } catch (ClassNotFoundException e) {
      throw new NoClassDefFoundError(e.getMessage());
    } finally {
      if (before == null) {
        System.clearProperty(TEMPORARY);
      } else {
        System.setProperty(TEMPORARY, before);
      }
    }
  }
}
