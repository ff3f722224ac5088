package org.quern.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;

/// Replaces a file as a whole or not at all: a reader, or a program started after a crash, sees the
/// old content or the new, never a part.
public final class AtomicFile {
  private static final AtomicLong COUNT = new AtomicLong();
  private static final String SUFFIX = ".tmp";

  private AtomicFile() {}

  /// Writes the content of a file.
  @FunctionalInterface
  public interface Writer {
    /// Writes everything; may seek.
    ///
    /// @param channel the new file, empty
    /// @throws IOException if writing fails
    void write(FileChannel channel) throws IOException;
  }

  /// Writes a temporary file beside the target, forces it to the disk, and gives it the target's
  /// name. When anything fails, the temporary file is deleted and the target is as before.
  ///
  /// A process that is killed leaves its temporary file behind; the next write of the same target
  /// removes it.
  ///
  /// @param target the file, which need not exist; its folder must
  /// @param writer gives the content
  /// @throws UncheckedIOException if the file cannot be written, naming it and the remedy
  public static void write(Path target, Writer writer) {
    try {
      replace(target, writer);
    } catch (IOException e) {
      throw explained(target, e);
    } catch (UncheckedIOException e) {
      throw explained(target, Objects.requireNonNull(e.getCause()));
    }
  }

  /// Like [#write(Path, Writer)] with content that is at hand.
  ///
  /// @param target the file
  /// @param content all of it
  /// @throws UncheckedIOException if the file cannot be written, naming it and the remedy
  public static void write(Path target, byte[] content) {
    write(target, channel -> Channels.write(channel, content));
  }

  private static void replace(Path target, Writer writer) throws IOException {
    Path real = Files.isSymbolicLink(target) ? target.toRealPath() : target.toAbsolutePath();
    if (Files.exists(real) && !Files.isRegularFile(real)) {
      throw new FileSystemException(target.toString(), null, "is not a regular file");
    }
    Path folder = Objects.requireNonNull(real.getParent(), "a file lies in a folder");
    String stem = ".%s.".formatted(real.getFileName());
    removeLeftovers(folder, stem);
    Path temporary =
        folder.resolve(
            stem + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet() + SUFFIX);
    try {
      try (FileChannel channel =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        writer.write(channel);
        channel.force(true);
      }
      move(temporary, real);
    } catch (Throwable e) {
      try {
        Files.deleteIfExists(temporary);
      } catch (IOException second) {
        e.addSuppressed(second);
      }
      throw e;
    }
    forceFolder(folder);
  }

  private static void move(Path temporary, Path target) throws IOException {
    try {
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      throw new FileSystemException(
          target.toString(), null, "the file system cannot replace a file atomically");
    }
  }

  /// Deletes the temporary files of processes that are no more.
  private static void removeLeftovers(Path folder, String stem) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        if (name.startsWith(stem) && name.endsWith(SUFFIX) && !alive(name, stem.length())) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  private static boolean alive(String name, int from) {
    int dash = name.indexOf('-', from);
    try {
      return dash < 0 || ProcessHandle.of(Long.parseLong(name, from, dash, 10)).isPresent();
    } catch (NumberFormatException e) {
      return true; // not one of ours
    }
  }

  /// Makes the new name survive a power cut.
  private static void forceFolder(Path folder) {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      // Some systems cannot open a folder. The file is complete under its name all the same.
    }
  }

  private static UncheckedIOException explained(Path target, IOException e) {
    String message = String.valueOf(e.getMessage());
    String lower = message.toLowerCase(Locale.ROOT);
    String why;
    if (lower.contains("no space left") || lower.contains("not enough space")) {
      why = "no space left on the device. Free some, or choose another folder";
    } else if (lower.contains("quota exceeded")) {
      why = "the disk quota is used up. Free some space, or choose another folder";
    } else if (e instanceof NoSuchFileException) {
      why = "the folder does not exist. Create it, or choose another";
    } else if (e instanceof java.nio.file.AccessDeniedException) {
      why = "permission denied. Choose a folder that you may write to";
    } else if (e instanceof FileSystemException f && f.getReason() != null) {
      why = f.getReason() + ". Choose another file";
    } else {
      why = message;
    }
    String kept = Files.isRegularFile(target) ? "; the old file is as it was" : "";
    return new UncheckedIOException(
        new IOException("cannot write %s: %s%s".formatted(target, why, kept), e));
  }
}
