package org.quern.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/// Text to train on or to measure: a file, all text files of a folder, or the running JDK's own
/// sources.
///
/// @param text all of it
/// @param origin says where it is from
/// @param skipped how many files were no text
record TextSource(String text, String origin, int skipped) {
  /// The name of the JDK's sources.
  static final String JDK = "jdk";

  private static final long LARGEST = 1L << 30;

  /// {@return the text that the option names}
  ///
  /// @throws IllegalArgumentException if there is none
  static TextSource read(String data) {
    try {
      if (data.equals(JDK)) {
        return jdk();
      }
      Path path = Path.of(data);
      if (!Files.exists(path)) {
        Path pulled = Catalog.find(data);
        if (pulled == null) {
          throw new NoSuchFileException(data);
        }
        path = pulled;
      }
      return Files.isDirectory(path) ? folder(path) : file(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static TextSource file(Path path) throws IOException {
    checkSize(Files.size(path), path.toString());
    String text = decode(Files.readAllBytes(path));
    if (text == null) {
      throw new IllegalArgumentException("%s is not UTF-8 text; convert it first".formatted(path));
    }
    return new TextSource(checkNotEmpty(text, path.toString()), path.toString(), 0);
  }

  private static TextSource folder(Path root) throws IOException {
    List<Path> files = new ArrayList<>();
    Files.walkFileTree(
        root,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult preVisitDirectory(Path dir, BasicFileAttributes a) {
            boolean hidden = !dir.equals(root) && dir.getFileName().toString().startsWith(".");
            return hidden ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes a) {
            if (a.isRegularFile() && !file.getFileName().toString().startsWith(".")) {
              files.add(file);
            }
            return FileVisitResult.CONTINUE;
          }
        });
    files.sort(null);
    StringBuilder text = new StringBuilder();
    int skipped = 0;
    for (Path f : files) {
      checkSize(text.length() + Files.size(f), root.toString());
      String part = decode(Files.readAllBytes(f));
      if (part == null) {
        skipped++;
      } else {
        text.append(part).append(part.endsWith("\n") ? "" : "\n");
      }
    }
    String origin = "%d files in %s".formatted(files.size() - skipped, root);
    return new TextSource(checkNotEmpty(text.toString(), root.toString()), origin, skipped);
  }

  /// The sources of java.util, in the order of their names: about 4 million characters.
  private static TextSource jdk() throws IOException {
    Path zip = Path.of(System.getProperty("java.home"), "lib", "src.zip");
    if (!Files.exists(zip)) {
      throw new IllegalArgumentException(
          "this JDK has no lib/src.zip to train on: pass --data FILE or --data FOLDER");
    }
    StringBuilder text = new StringBuilder();
    int count = 0;
    try (ZipFile file = new ZipFile(zip.toFile())) {
      List<? extends ZipEntry> entries =
          file.stream()
              .filter(e -> e.getName().matches("java\\.base/java/util/[A-Z]\\w*\\.java"))
              .sorted((a, b) -> a.getName().compareTo(b.getName()))
              .toList();
      for (ZipEntry entry : entries) {
        try (InputStream in = file.getInputStream(entry)) {
          String part = decode(in.readAllBytes());
          if (part != null && part.chars().allMatch(c -> c < 128)) {
            text.append(withoutLicence(part));
            count++;
          }
        }
      }
    }
    String origin = "%d sources of the JDK's java.util".formatted(count);
    return new TextSource(checkNotEmpty(text.toString(), zip.toString()), origin, 0);
  }

  /// The same 24 lines on top of every file teach nothing.
  private static String withoutLicence(String source) {
    int end = source.startsWith("/*") ? source.indexOf("*/") : -1;
    return end < 0 ? source : source.substring(end + 2).stripLeading();
  }

  private static @Nullable String decode(byte[] bytes) {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      return text.indexOf('\0') >= 0 ? null : text;
    } catch (CharacterCodingException e) {
      return null;
    }
  }

  private static void checkSize(long size, String origin) {
    if (size > LARGEST) {
      throw new IllegalArgumentException(
          "%s holds more than 1 GiB of text; this version trains in memory: use a part of it"
              .formatted(origin));
    }
  }

  private static String checkNotEmpty(String text, String origin) {
    if (text.isBlank()) {
      throw new IllegalArgumentException("%s holds no text".formatted(origin));
    }
    return text;
  }
}
