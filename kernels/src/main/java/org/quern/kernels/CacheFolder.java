package org.quern.kernels;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Finds the folder for compiled kernels, and makes sure that nobody else can put code there.
public final class CacheFolder {
  private static final String OFF = "off";

  private CacheFolder() {}

  /// {@return the folder that the property `quern.cache`, the variable `QUERN_CACHE` or the
  /// system's custom gives; null for none}
  ///
  /// @param property looks a system property up
  /// @param variable looks an environment variable up
  /// @throws InvalidPathException if one is no path
  public static @Nullable Path choose(
      Function<String, @Nullable String> property, Function<String, @Nullable String> variable) {
    String chosen = first(property.apply("quern.cache"), variable.apply("QUERN_CACHE"));
    if (chosen == null) {
      return custom(property, variable);
    }
    return chosen.equals(OFF) ? null : Path.of(chosen).toAbsolutePath();
  }

  private static @Nullable Path custom(
      Function<String, @Nullable String> property, Function<String, @Nullable String> variable) {
    String system = String.valueOf(property.apply("os.name"));
    if (system.startsWith("Windows")) {
      return below(variable.apply("LOCALAPPDATA"), "quern");
    }
    String home = property.apply("user.home");
    if (system.startsWith("Mac")) {
      return below(home, "Library/Caches/quern");
    }
    Path xdg = below(variable.apply("XDG_CACHE_HOME"), "quern");
    return xdg != null ? xdg : below(home, ".cache/quern");
  }

  /// A path that is not absolute is ignored: containers have users whose home is `?`.
  private static @Nullable Path below(@Nullable String folder, String name) {
    Path path = folder == null || folder.isBlank() ? null : Path.of(folder);
    return path == null || !path.isAbsolute() ? null : path.resolve(name);
  }

  private static @Nullable String first(@Nullable String one, @Nullable String other) {
    if (one != null && !one.isBlank()) {
      return one.strip();
    }
    return other == null || other.isBlank() ? null : other.strip();
  }

  /// Makes a folder and one inside it, unless they are there, and checks both.
  ///
  /// @param folder the outer one
  /// @param name of the inner one
  /// @return the inner one
  /// @throws IOException if one cannot be made or written
  /// @throws SecurityException if others can write one, or own it
  public static Path make(Path folder, String name) throws IOException {
    Path inner = folder.resolve(name);
    boolean posix = folder.getFileSystem().supportedFileAttributeViews().contains("posix");
    FileAttribute<?>[] mine =
        posix
            ? new FileAttribute<?>[] {
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
            }
            : new FileAttribute<?>[0];
    if (!Files.isDirectory(folder)) {
      Path parent = folder.getParent();
      if (parent != null) {
        Files.createDirectories(parent, mine);
      }
      createUnlessThere(folder, mine);
    }
    createUnlessThere(inner, mine);
    checkOthers(folder);
    checkOthers(inner);
    checkOwner(folder, inner);
    return inner;
  }

  private static void createUnlessThere(Path folder, FileAttribute<?>[] mine) throws IOException {
    try {
      Files.createDirectory(folder, mine);
    } catch (FileAlreadyExistsException e) {
      if (!Files.isDirectory(folder)) {
        throw e;
      }
    }
  }

  private static void checkOthers(Path folder) throws IOException {
    PosixFileAttributeView view = Files.getFileAttributeView(folder, PosixFileAttributeView.class);
    if (view == null) {
      return; // Windows: below the user's own profile nobody else may write
    }
    Set<PosixFilePermission> permissions = view.readAttributes().permissions();
    if (permissions.contains(PosixFilePermission.GROUP_WRITE)
        || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
      throw new SecurityException(
          "others may write to %s (%s): chmod 700 it"
              .formatted(folder, PosixFilePermissions.toString(permissions)));
    }
  }

  /// Both folders must belong to the one whom a new file there belongs to.
  private static void checkOwner(Path folder, Path inner) throws IOException {
    Path file = Files.createTempFile(inner, "owner", ".tmp");
    try {
      var me = Files.getOwner(file);
      for (Path f : new Path[] {folder, inner}) {
        if (!Files.getOwner(f).equals(me)) {
          throw new SecurityException(
              "%s belongs to %s and not to %s".formatted(f, Files.getOwner(f), me));
        }
      }
    } finally {
      Files.deleteIfExists(file);
    }
  }
}
