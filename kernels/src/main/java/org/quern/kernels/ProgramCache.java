package org.quern.kernels;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.quern.io.AtomicFile;

/// Keeps compiled programs on the disk, so that the next run need not compile them again. It never
/// stands in the way of a run: what cannot be read or written is compiled instead.
///
/// An entry's name is a hash of all that it depends on. Its file holds a magic number, the length
/// of the program, a hash of it, and the program.
public final class ProgramCache {
  private static final System.Logger LOG = System.getLogger(ProgramCache.class.getName());
  private static final Set<String> TOLD = ConcurrentHashMap.newKeySet();

  /// The most that all entries may take.
  public static final long LIMIT = 256L << 20;

  private static final long MAGIC = 0x5155_4552_4e43_4c31L; // QUERNCL1
  private static final int HASH_BYTES = 32;
  private static final int HEADER_BYTES = 2 * Long.BYTES + HASH_BYTES;
  private static final String SUFFIX = ".bin";
  private static final Duration ABANDONED = Duration.ofHours(1);

  private final @Nullable Path folder;
  private final long limit;
  private long stored = -1;

  private ProgramCache(@Nullable Path folder, long limit) {
    this.folder = folder;
    this.limit = limit;
  }

  /// {@return the cache in the folder that the user or the system chooses; see [CacheFolder]}
  ///
  /// @param name of a folder inside it, one a backend
  public static ProgramCache standard(String name) {
    try {
      Path chosen = CacheFolder.choose(System::getProperty, System::getenv);
      return chosen == null ? none() : in(chosen, name, LIMIT);
    } catch (InvalidPathException e) {
      tell(Level.INFO, "quern.cache is no path, compiled kernels are not kept: " + e);
      return none();
    }
  }

  /// {@return a cache that keeps nothing}
  public static ProgramCache none() {
    return new ProgramCache(null, 0);
  }

  /// {@return the cache in a folder; one that keeps nothing where that cannot be used}
  ///
  /// @param folder need not exist
  /// @param name of a folder inside it
  /// @param limit the most bytes of all entries
  public static ProgramCache in(Path folder, String name, long limit) {
    try {
      return new ProgramCache(CacheFolder.make(folder, name), limit);
    } catch (SecurityException e) {
      tell(Level.INFO, "compiled kernels are not kept: " + e.getMessage());
      return none();
    } catch (IOException | RuntimeException e) {
      tell(Level.DEBUG, "compiled kernels are not kept: " + e);
      return none();
    }
  }

  /// {@return the folder; null if nothing is kept}
  public @Nullable Path folder() {
    return folder;
  }

  /// {@return the name of an entry}
  ///
  /// @param parts all that it depends on
  public static String key(String... parts) {
    MessageDigest digest = sha256();
    for (String part : parts) {
      byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
      digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, bytes.length));
      digest.update(bytes);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /// {@return a program; null if there is none that is whole}
  ///
  /// @param key from [#key]
  public synchronized byte @Nullable [] get(String key) {
    if (folder == null) {
      return null;
    }
    Path file = file(folder, key);
    try {
      byte[] program = unwrap(Files.readAllBytes(file));
      if (program == null) {
        tell(Level.DEBUG, "a compiled kernel is damaged and is made anew: " + file);
        remove(key);
        return null;
      }
      touch(file);
      return program;
    } catch (NoSuchFileException e) {
      return null;
    } catch (IOException | OutOfMemoryError e) {
      tell(Level.DEBUG, "a compiled kernel cannot be read: " + e);
      remove(key);
      return null;
    }
  }

  private static byte @Nullable [] unwrap(byte[] bytes) {
    if (bytes.length < HEADER_BYTES) {
      return null;
    }
    ByteBuffer in = ByteBuffer.wrap(bytes);
    boolean whole = in.getLong() == MAGIC && in.getLong() == bytes.length - HEADER_BYTES;
    byte[] hash = new byte[HASH_BYTES];
    in.get(hash);
    byte[] program = new byte[in.remaining()];
    in.get(program);
    return whole && MessageDigest.isEqual(hash, sha256().digest(program)) ? program : null;
  }

  /// So that what is used stays when the oldest are deleted.
  private static void touch(Path file) {
    try {
      Files.setLastModifiedTime(file, FileTime.from(Instant.now()));
    } catch (IOException e) {
      // It only seems older than it is.
    }
  }

  /// Keeps a program.
  ///
  /// @param key from [#key]
  /// @param program what the driver gave
  public synchronized void put(String key, byte[] program) {
    long bytes = HEADER_BYTES + (long) program.length;
    if (folder == null || bytes > limit) {
      return;
    }
    try {
      makeRoom(folder, bytes);
      AtomicFile.write(
          file(folder, key),
          ByteBuffer.allocate(HEADER_BYTES + program.length)
              .putLong(MAGIC)
              .putLong(program.length)
              .put(sha256().digest(program))
              .put(program)
              .array());
      stored += bytes;
    } catch (IOException | UncheckedIOException e) {
      tell(Level.DEBUG, "a compiled kernel cannot be kept: " + e);
    }
  }

  /// Deletes an entry, such as one that the driver refuses.
  ///
  /// @param key from [#key]
  public synchronized void remove(String key) {
    if (folder != null) {
      delete(file(folder, key));
    }
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      tell(Level.DEBUG, "a compiled kernel cannot be deleted: " + e);
    }
  }

  /// A file of the cache.
  private record Entry(Path path, long bytes, FileTime used) {}

  /// Deletes the entries that were not used for longest, until a quarter of the room is free.
  private void makeRoom(Path folder, long bytes) throws IOException {
    if (stored >= 0 && stored + bytes <= limit) {
      return;
    }
    List<Entry> entries = entries(folder);
    entries.sort(Comparator.comparing(Entry::used));
    stored = entries.stream().mapToLong(Entry::bytes).sum();
    if (stored + bytes <= limit) {
      return;
    }
    for (Entry e : entries) {
      if (stored + bytes <= limit - limit / 4) {
        return;
      }
      delete(e.path);
      stored -= e.bytes;
    }
  }

  /// Lists the entries, and deletes what a killed process has left.
  private static List<Entry> entries(Path folder) throws IOException {
    List<Entry> out = new ArrayList<>();
    FileTime old = FileTime.from(Instant.now().minus(ABANDONED));
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        FileTime used;
        long size;
        try {
          used = Files.getLastModifiedTime(file);
          size = Files.size(file);
        } catch (IOException e) {
          continue; // another process has just deleted it
        }
        String name = file.getFileName().toString();
        if (name.endsWith(SUFFIX)) {
          out.add(new Entry(file, size, used));
        } else if (name.endsWith(".tmp") && used.compareTo(old) < 0) {
          delete(file);
        }
      }
    }
    return out;
  }

  private static Path file(Path folder, String key) {
    return folder.resolve(key + SUFFIX);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }

  /// Logs a thing once a process.
  private static void tell(Level level, String message) {
    if (TOLD.size() < 100 && TOLD.add(message)) {
      LOG.log(level, message);
    }
  }
}
