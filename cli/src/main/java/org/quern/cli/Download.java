package org.quern.cli;

import java.io.IOException;
import java.io.InputStream;
import java.net.ConnectException;
import java.net.HttpURLConnection;
import java.net.NoRouteToHostException;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Fetches one file. It grows as `NAME.part` beside its place, and gets its name when it is whole
/// and its checksum is right; a run that was interrupted is taken up where it stopped, if the
/// server can do that and its file is still the same.
final class Download {
  private static final int PIECE = 1 << 16;

  /// Told how far it is.
  @FunctionalInterface
  interface Listener {
    /// Some more is there.
    ///
    /// @param done bytes
    /// @param total bytes, or -1 where the server does not tell
    void at(long done, long total);
  }

  /// How patient to be.
  ///
  /// @param silenceMillis for which a server may send nothing
  /// @param attempts in a row that bring nothing, before giving up
  /// @param pauseMillis after the first of these; doubled after each
  record Patience(int silenceMillis, int attempts, long pauseMillis) {
    static final Patience USUAL = new Patience(30_000, 5, 1_000);
  }

  private final URI from;
  private final Path target;
  private final @Nullable String expected;
  private final Patience patience;
  private final Listener listener;
  private final Path part;
  private final Path tag;

  private @Nullable String stated; // the checksum that the hub tells of its file

  /// @param from where it is
  /// @param target where it is to be; its folder exists
  /// @param sha256 what it must be, or null
  Download(URI from, Path target, @Nullable String sha256, Patience patience, Listener listener) {
    this.from = from;
    this.target = target;
    this.expected = sha256;
    this.patience = patience;
    this.listener = listener;
    this.part = target.resolveSibling(target.getFileName() + ".part");
    this.tag = target.resolveSibling(target.getFileName() + ".part.tag");
  }

  /// Fetches it.
  ///
  /// @return its SHA-256
  /// @throws IOException if that is impossible, saying why and what to do; what has come is kept,
  ///   unless it is wrong
  String run() throws IOException {
    try (FileChannel out =
            FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = lock(out)) {
      Objects.requireNonNull(lock);
      fetch(out);
      out.force(true);
    } catch (IOException e) {
      if (Files.exists(part) && Files.size(part) == 0) {
        discard();
      }
      throw e;
    }
    String found = sha256(part);
    String wanted = expected == null ? stated : expected;
    if (wanted != null && !wanted.equalsIgnoreCase(found)) {
      discard();
      throw new Refused(
          "%s: the SHA-256 is %s and should be %s: it was damaged or changed on the way. It was thrown away; try again"
              .formatted(from, found, wanted));
    }
    Files.move(part, target, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    Files.deleteIfExists(tag);
    return found;
  }

  private FileLock lock(FileChannel out) throws IOException {
    FileLock lock;
    try {
      lock = out.tryLock();
    } catch (OverlappingFileLockException e) {
      lock = null;
    }
    if (lock == null) {
      throw new Refused("another process is fetching %s: wait for it".formatted(target));
    }
    return lock;
  }

  private void fetch(FileChannel out) throws IOException {
    int failures = 0;
    while (true) {
      long before = out.size();
      try {
        transfer(out);
        return;
      } catch (Refused e) {
        throw e;
      } catch (IOException e) {
        // The first failure of a host that cannot be reached at all is final: nobody is online.
        if (failures == 0 && out.size() == before && unreachable(e)) {
          throw new Refused(
              "cannot reach %s (%s): is this machine online? What has come is kept; run it again then"
                  .formatted(from.getHost(), reason(e)));
        }
        failures = out.size() > before ? 1 : failures + 1;
        if (failures >= patience.attempts()) {
          throw new Refused(
              "%s: gave up after %d failures in a row (%s). What has come is kept; run it again later"
                  .formatted(from, failures, reason(e)));
        }
        pause(patience.pauseMillis() << (failures - 1));
      }
    }
  }

  private static boolean unreachable(IOException e) {
    return e instanceof UnknownHostException
        || e instanceof ConnectException
        || e instanceof NoRouteToHostException;
  }

  private static String reason(IOException e) {
    return e instanceof UnknownHostException
        ? "unknown host"
        : String.valueOf(e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage());
  }

  private static void pause(long millis) throws IOException {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Refused("interrupted; what has come is kept");
    }
  }

  /// One request, and what comes of it.
  private void transfer(FileChannel out) throws IOException {
    String known = Files.exists(tag) ? Files.readString(tag).strip() : "";
    long have = known.isEmpty() ? 0 : out.size();
    Answer answer = Answer.of(from, have, known, patience.silenceMillis());
    HttpURLConnection connection = answer.connection();
    try {
      stated = answer.sha256() == null ? stated : answer.sha256();
      if (expected != null && stated != null && !expected.equalsIgnoreCase(stated)) {
        throw new Refused(
            "%s is not the file that was asked for: the server states the SHA-256 %s, expected %s"
                .formatted(from, stated, expected));
      }
      if (answer.complete(have)) {
        return;
      }
      have = answer.start();
      out.truncate(have);
      out.position(have);
      Files.writeString(tag, answer.tag());
      long total = answer.total();
      checkSpace(total - have);
      listener.at(have, total);
      try (InputStream in = connection.getInputStream()) {
        copy(in, out, total);
      }
      if (total >= 0 && out.size() != total) {
        throw new IOException(
            "the connection ended after %,d of %,d bytes".formatted(out.size(), total));
      }
    } finally {
      connection.disconnect();
    }
  }

  private void copy(InputStream in, FileChannel out, long total) throws IOException {
    byte[] piece = new byte[PIECE];
    for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
      ByteBuffer bytes = ByteBuffer.wrap(piece, 0, n);
      try {
        while (bytes.hasRemaining()) {
          out.write(bytes);
        }
      } catch (IOException e) {
        throw new Refused(
            "cannot write %s: %s. What has come is kept; free some space, or choose another folder with --to"
                .formatted(part, e.getMessage()));
      }
      listener.at(out.position(), total);
    }
  }

  private void checkSpace(long needed) throws IOException {
    long free = Files.getFileStore(part).getUsableSpace();
    if (needed > free) {
      throw new Refused(
          "%s needs %,d MB more, and its disk has %,d MB: free some, or choose another folder with --to"
              .formatted(target, needed / 1_000_000 + 1, free / 1_000_000));
    }
  }

  private void discard() throws IOException {
    Files.deleteIfExists(part);
    Files.deleteIfExists(tag);
  }

  /// {@return the checksum of a file in hexadecimal digits}
  static String sha256(Path file) throws IOException {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
    byte[] piece = new byte[PIECE];
    try (InputStream in = Files.newInputStream(file)) {
      for (int n = in.read(piece); n >= 0; n = in.read(piece)) {
        digest.update(piece, 0, n);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /// A failure that another attempt would not mend.
  static final class Refused extends IOException {
    private static final long serialVersionUID = 1;

    Refused(String message) {
      super(message);
    }
  }
}
