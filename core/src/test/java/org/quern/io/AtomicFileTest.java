package org.quern.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  private static final byte[] OLD = {1, 2, 3};

  @TempDir Path folder;
  Path target;

  @BeforeEach
  void old() throws IOException {
    target = folder.resolve("checkpoint");
    Files.write(target, OLD);
  }

  private void assertOldAlone() throws IOException {
    assertArrayEquals(OLD, Files.readAllBytes(target));
    try (var files = Files.list(folder)) {
      assertEquals(List.of(target), files.toList());
    }
  }

  @Test
  void replaces() throws IOException {
    AtomicFile.write(target, new byte[] {9});
    assertArrayEquals(new byte[] {9}, Files.readAllBytes(target));
    AtomicFile.write(folder.resolve("other"), new byte[3_000_000]);
    assertEquals(3_000_000, Files.size(folder.resolve("other")));
    try (var files = Files.list(folder)) {
      assertEquals(2, files.count(), "nothing else is left");
    }
  }

  @Test
  void failureInTheMiddleKeepsTheOldFile() throws IOException {
    IllegalStateException thrown = new IllegalStateException("in the middle");
    Exception caught =
        assertThrows(
            IllegalStateException.class,
            () ->
                AtomicFile.write(
                    target,
                    channel -> {
                      channel.write(ByteBuffer.wrap(new byte[100]));
                      throw thrown;
                    }));
    assertSame(thrown, caught);
    assertOldAlone();
  }

  @Test
  void fullDiskKeepsTheOldFileAndSaysSo() throws IOException {
    Path full = Path.of("/dev/full");
    Assumptions.assumeTrue(Files.exists(full), "/dev/full, a disk that is always full");
    UncheckedIOException e =
        assertThrows(
            UncheckedIOException.class,
            () ->
                AtomicFile.write(
                    target,
                    channel -> {
                      channel.write(ByteBuffer.wrap(new byte[100]));
                      try (FileChannel disk = FileChannel.open(full, StandardOpenOption.WRITE)) {
                        Channels.write(disk, new byte[100]);
                      }
                    }));
    assertTrue(e.getMessage().contains(target.toString()), e.getMessage());
    assertTrue(e.getMessage().contains("no space left on the device. Free some"), e.getMessage());
    assertTrue(e.getMessage().contains("the old file is as it was"), e.getMessage());
    assertOldAlone();
  }

  @Test
  void targetsThatAreNoFilesAreRefused() throws IOException {
    Path directory = Files.createDirectory(folder.resolve("directory"));
    String message =
        assertThrows(UncheckedIOException.class, () -> AtomicFile.write(directory, OLD))
            .getMessage();
    assertTrue(message.contains("directory: is not a regular file"), message);
    message =
        assertThrows(
                UncheckedIOException.class,
                () -> AtomicFile.write(folder.resolve("none/file"), OLD))
            .getMessage();
    assertTrue(message.contains("the folder does not exist"), message);
    Path device = Path.of("/dev/null");
    if (Files.exists(device)) { // renaming over it would be the end of it
      assertThrows(UncheckedIOException.class, () -> AtomicFile.write(device, OLD));
      assertTrue(!Files.isRegularFile(device));
    }
  }

  @Test
  void followsLinks() throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("link"), target);
    AtomicFile.write(link, new byte[] {7});
    assertTrue(Files.isSymbolicLink(link));
    assertArrayEquals(new byte[] {7}, Files.readAllBytes(target));
  }

  @Test
  void leftoversOfDeadProcessesGoAndOthersStay() throws Exception {
    Process dead = new ProcessBuilder(java(), "-version").redirectErrorStream(true).start();
    dead.getInputStream().readAllBytes();
    dead.waitFor();
    Path leftover = Files.write(folder.resolve(".checkpoint.%d-1.tmp".formatted(dead.pid())), OLD);
    long self = ProcessHandle.current().pid();
    Path live = Files.write(folder.resolve(".checkpoint.%d-9999.tmp".formatted(self)), OLD);
    Path foreign = Files.write(folder.resolve(".checkpoint.backup.tmp"), OLD);
    AtomicFile.write(target, OLD);
    assertTrue(Files.notExists(leftover), "a killed process's temporary file");
    assertTrue(Files.exists(live));
    assertTrue(Files.exists(foreign));
  }

  /// Writes a growing file over and over, until killed.
  static final class Endless {
    public static void main(String[] arguments) {
      Path target = Path.of(arguments[0]);
      for (byte round = 0; ; round = (byte) ((round + 1) % 100)) {
        byte[] content = new byte[1 << 20];
        java.util.Arrays.fill(content, round);
        AtomicFile.write(target, content);
      }
    }
  }

  @Test
  void killedAtAnyMomentLeavesAWholeFile() throws Exception {
    AtomicFile.write(target, new byte[1 << 20]);
    for (int i = 0; i < 3; i++) {
      Process writer =
          new ProcessBuilder(
                  java(),
                  "-XX:TieredStopAtLevel=1",
                  "-cp",
                  "target/classes:target/test-classes",
                  Endless.class.getName(),
                  target.toString())
              .inheritIO()
              .start();
      long before = Files.getLastModifiedTime(target).toMillis();
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (Files.getLastModifiedTime(target).toMillis() == before) {
        assertTrue(System.nanoTime() < deadline && writer.isAlive(), "the writer writes");
        Thread.sleep(5);
      }
      Thread.sleep(13L * i); // then at any moment
      writer.destroyForcibly().waitFor();
      byte[] content = Files.readAllBytes(target);
      assertEquals(1 << 20, content.length);
      for (byte b : content) {
        assertEquals(content[0], b);
      }
    }
    AtomicFile.write(target, OLD);
    assertOldAlone();
  }

  private static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }
}
