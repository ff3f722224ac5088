package org.quern.kernels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The files of the cache, without a device.
class ProgramCacheTest {
  private static final byte[] PROGRAM = {1, 2, 3, 4, 5};
  private static final String KEY = ProgramCache.key("device", "options", "source");

  @TempDir private Path folder;

  private ProgramCache open(long limit) {
    return ProgramCache.in(folder.resolve("quern"), "opencl", limit);
  }

  private Path file(String key) {
    return folder.resolve("quern/opencl").resolve(key + ".bin");
  }

  private static void assumePosix() {
    assumeTrue(FileSystems.getDefault().supportedFileAttributeViews().contains("posix"));
  }

  @Test
  void keepsAProgram() {
    assertNull(open(1000).get(KEY));
    open(1000).put(KEY, PROGRAM);
    assertArrayEquals(PROGRAM, open(1000).get(KEY));
    open(1000).remove(KEY);
    assertNull(open(1000).get(KEY));
    open(1000).remove(KEY);
  }

  @Test
  void theNameDependsOnEveryPartAndOnWhereOneEnds() {
    assertNotEquals(ProgramCache.key("ab", "c"), ProgramCache.key("a", "bc"));
    assertNotEquals(ProgramCache.key("a", "b"), ProgramCache.key("a", "b", ""));
    assertEquals(64, KEY.length());
  }

  @Test
  void throwsAwayWhatIsDamaged() throws IOException {
    ProgramCache cache = open(1000);
    cache.put(KEY, PROGRAM);
    byte[] good = Files.readAllBytes(file(KEY));
    for (int i = 0; i < good.length; i++) {
      byte[] bad = good.clone();
      bad[i] ^= 1;
      Files.write(file(KEY), bad);
      assertNull(cache.get(KEY), "byte " + i + " changed");
      assertFalse(Files.exists(file(KEY)), "byte " + i + " changed");
    }
    for (int length = 0; length < good.length; length++) {
      Files.write(file(KEY), Arrays.copyOf(good, length));
      assertNull(cache.get(KEY), "cut to " + length);
      assertFalse(Files.exists(file(KEY)), "cut to " + length);
    }
    Files.write(file(KEY), Arrays.copyOf(good, good.length + 1));
    assertNull(cache.get(KEY), "one byte more");
    cache.put(KEY, PROGRAM);
    assertArrayEquals(PROGRAM, cache.get(KEY));
  }

  @Test
  void livesWithAFolderThatIsGone() throws IOException {
    ProgramCache cache = open(1000);
    cache.put(KEY, PROGRAM);
    Files.delete(file(KEY));
    Files.delete(folder.resolve("quern/opencl"));
    assertNull(cache.get(KEY));
    cache.put(KEY, PROGRAM);
    cache.remove(KEY);
  }

  @Test
  void livesWithAFileThatCannotBeReadOrWritten() throws IOException {
    ProgramCache cache = open(1000);
    Files.createDirectories(file(KEY).resolve("something"));
    assertNull(cache.get(KEY));
    cache.put(KEY, PROGRAM);
    assertNull(cache.get(KEY));
  }

  @Test
  void livesWithoutAFolder() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    for (ProgramCache cache :
        new ProgramCache[] {
          ProgramCache.none(),
          ProgramCache.in(file, "opencl", 1000),
          ProgramCache.in(file.resolve("x"), "opencl", 1000)
        }) {
      assertNull(cache.folder());
      cache.put(KEY, PROGRAM);
      assertNull(cache.get(KEY));
      cache.remove(KEY);
    }
  }

  @Test
  void theFolderIsForItsOwnerOnly() throws IOException {
    assumePosix();
    Path made = open(1000).folder();
    assertNotNull(made);
    for (Path p : new Path[] {made, folder.resolve("quern")}) {
      assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(p)));
    }
  }

  @Test
  void usesNoFolderThatOthersCanWrite() throws IOException {
    assumePosix();
    Path outer = folder.resolve("quern");
    Path inner = Files.createDirectories(outer.resolve("opencl"));
    for (Path p : new Path[] {outer, inner}) {
      for (String open : new String[] {"rwx-w----", "rwx----w-"}) {
        Files.setPosixFilePermissions(outer, PosixFilePermissions.fromString("rwx------"));
        Files.setPosixFilePermissions(inner, PosixFilePermissions.fromString("rwx------"));
        assertNotNull(open(1000).folder());
        Files.setPosixFilePermissions(p, PosixFilePermissions.fromString(open));
        assertNull(open(1000).folder(), p + " is " + open);
      }
    }
  }

  @Test
  void usesNoFolderOfSomeoneElse() throws IOException {
    assumePosix();
    Path inner = open(1000).folder();
    assertNotNull(inner);
    try {
      var lookup = inner.getFileSystem().getUserPrincipalLookupService();
      Files.setOwner(inner, lookup.lookupPrincipalByName("nobody"));
    } catch (IOException e) {
      assumeTrue(false, "only root can give folders away: " + e);
    }
    assertNull(open(1000).folder());
  }

  @Test
  void deletesWhatWasNotUsedForLongest() throws IOException {
    byte[] program = new byte[1000];
    for (int i = 0; i < 4; i++) {
      open(5000).put(ProgramCache.key("p" + i), program);
      FileTime time = FileTime.from(Instant.now().minusSeconds(1000 - i));
      Files.setLastModifiedTime(file(ProgramCache.key("p" + i)), time);
    }
    assertNotNull(open(5000).get(ProgramCache.key("p0"))); // which makes it the newest
    Path abandoned = Files.createFile(folder.resolve("quern/opencl/.x.1-1.tmp"));
    Files.setLastModifiedTime(abandoned, FileTime.from(Instant.now().minusSeconds(7200)));
    open(5000).put(ProgramCache.key("p4"), program);
    assertFalse(Files.exists(abandoned));
    try (Stream<Path> files = Files.list(folder.resolve("quern/opencl"))) {
      assertTrue(files.mapToLong(f -> f.toFile().length()).sum() <= 5000);
    }
    assertNotNull(open(5000).get(ProgramCache.key("p0")));
    assertNull(open(5000).get(ProgramCache.key("p1")));
    assertNotNull(open(5000).get(ProgramCache.key("p4")));
    open(5000).put(KEY, new byte[5000]);
    assertNull(open(5000).get(KEY), "larger than everything");
  }

  @Test
  void choosesTheFolder() {
    Map<String, String> linux = Map.of("os.name", "Linux", "user.home", "/home/me");
    assertEquals(Path.of("/home/me/.cache/quern"), choose(linux, Map.of()));
    assertEquals(Path.of("/x/quern"), choose(linux, Map.of("XDG_CACHE_HOME", "/x")));
    assertEquals(
        Path.of("/home/me/.cache/quern"), choose(linux, Map.of("XDG_CACHE_HOME", "relative")));
    assertEquals(Path.of("/y"), choose(linux, Map.of("QUERN_CACHE", "/y")));
    assertEquals(
        Path.of("/z"),
        choose(
            Map.of("os.name", "Linux", "user.home", "/home/me", "quern.cache", "/z"),
            Map.of("QUERN_CACHE", "/y")));
    assertNull(choose(linux, Map.of("QUERN_CACHE", "off")));
    assertNull(choose(Map.of("os.name", "Linux", "user.home", "?"), Map.of()));
    assertEquals(
        Path.of("/Users/me/Library/Caches/quern"),
        choose(Map.of("os.name", "Mac OS X", "user.home", "/Users/me"), Map.of()));
    assertEquals(
        Path.of("/local/quern"),
        choose(Map.of("os.name", "Windows 11"), Map.of("LOCALAPPDATA", "/local")));
  }

  private static Path choose(Map<String, String> properties, Map<String, String> variables) {
    return CacheFolder.choose(properties::get, variables::get);
  }
}
