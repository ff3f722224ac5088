package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.cli.FileServer.Reply;
import org.quern.cli.FileServer.Request;
import org.quern.io.ModelFolder;
import picocli.CommandLine;

/// `quern pull` against servers that are slow, cut off, lie, or cannot do ranges.
class PullTest {
  private static final Download.Patience SHORT = new Download.Patience(300, 4, 1);
  private static final String ETAG = "ETag: \"one\"";

  @TempDir private Path folder;

  private final byte[] content = new byte[300_000];
  private Path target;

  @BeforeEach
  void fill() {
    new Random(1).nextBytes(content);
    target = folder.resolve("file.bin");
  }

  private String fetch(FileServer server, String sha256) throws IOException {
    return new Download(
            URI.create(server.address() + "/file.bin"), target, sha256, SHORT, (done, total) -> {})
        .run();
  }

  /// A server that can do ranges.
  private Reply ranged(Request r) {
    return r.from() == 0
        ? Reply.of("200 OK", content, ETAG)
        : Reply.of(
            "206 Partial Content",
            Arrays.copyOfRange(content, r.from(), content.length),
            ETAG,
            "Content-Range: bytes %d-%d/%d"
                .formatted(r.from(), content.length - 1, content.length));
  }

  private void assertWhole() throws IOException {
    assertArrayEquals(content, Files.readAllBytes(target));
    try (var files = Files.list(folder)) {
      assertEquals(List.of(target), files.toList());
    }
  }

  private void assertNothing() throws IOException {
    try (var files = Files.list(folder)) {
      assertEquals(List.of(), files.toList());
    }
  }

  private String refused(Function<Request, Reply> answers, String sha256) throws IOException {
    try (FileServer server = new FileServer(answers)) {
      return String.valueOf(
          assertThrows(Download.Refused.class, () -> fetch(server, sha256)).getMessage());
    }
  }

  @Test
  void aConnectionThatBreaksIsTakenUpWhereItBroke() throws IOException {
    try (FileServer server =
        new FileServer(r -> r.number() < 3 ? ranged(r).cutAfter(100_000) : ranged(r))) {
      fetch(server, null);
      assertWhole();
      List<Integer> starts = server.requests().stream().map(Request::from).toList();
      assertEquals(List.of(0, 100_000, 200_000), starts);
      assertEquals("\"one\"", server.requests().get(1).headers().get("if-range"));
    }
  }

  @Test
  void aServerWithoutRangesIsReadFromTheStart() throws IOException {
    try (FileServer server =
        new FileServer(
            r -> {
              Reply all = Reply.of("200 OK", content, ETAG);
              return r.number() < 2 ? all.cutAfter(200_000) : all;
            })) {
      fetch(server, null);
      assertWhole();
    }
  }

  @Test
  void whatAnEarlierRunLeftIsTakenUp() throws IOException {
    assertTrue(
        refused(r -> ranged(r).cutAfter(r.number() == 0 ? 50_000 : 0), null).contains("kept"));
    assertEquals(50_000, Files.size(folder.resolve("file.bin.part")));
    try (FileServer server = new FileServer(this::ranged)) {
      fetch(server, null);
      assertWhole();
      assertEquals(50_000, server.requests().getFirst().from());
    }
  }

  @Test
  void whatWasWholeButHadNoNameYetIsNotFetchedAgain() throws IOException {
    Files.write(folder.resolve("file.bin.part"), content);
    Files.writeString(folder.resolve("file.bin.part.tag"), "\"one\"");
    try (FileServer server =
        new FileServer(
            r ->
                Reply.of(
                    "416 Range Not Satisfiable",
                    new byte[0],
                    "Content-Range: bytes */" + content.length))) {
      fetch(server, null);
      assertWhole();
    }
  }

  @Test
  void whatIsLeftOfAnotherFileIsNotGoneOnWith() throws IOException {
    refused(r -> ranged(r).cutAfter(r.number() == 0 ? 50_000 : 0), null);
    // The tag has changed: a server then sends all.
    try (FileServer server = new FileServer(r -> Reply.of("200 OK", content, "ETag: \"two\""))) {
      fetch(server, null);
      assertWhole();
    }
  }

  @Test
  void aSilentServerIsAskedAgain() throws IOException {
    try (FileServer server =
        new FileServer(r -> r.number() == 0 ? ranged(r).cutAfter(10).stalling(900) : ranged(r))) {
      fetch(server, null);
      assertWhole();
    }
  }

  @Test
  void aServerThatIsBusyIsAskedAgain() throws IOException {
    try (FileServer server =
        new FileServer(
            r -> r.number() < 2 ? Reply.of("503 Unavailable", new byte[0]) : ranged(r))) {
      fetch(server, null);
      assertWhole();
    }
    assertTrue(refused(r -> Reply.of("500 Sorry", new byte[0]), null).contains("4 failures"));
  }

  @Test
  void aWrongChecksumKeepsNothing() throws IOException {
    String wrong = "0".repeat(64);
    assertTrue(refused(this::ranged, wrong).contains("should be " + wrong));
    assertNothing();
  }

  @Test
  void theRightChecksumIsTold() throws IOException {
    Path same = folder.resolve("same");
    Files.write(same, content);
    String sha256 = Download.sha256(same);
    Files.delete(same);
    try (FileServer server = new FileServer(this::ranged)) {
      assertEquals(sha256, fetch(server, sha256));
    }
    assertWhole();
    // The checksum that a hub states counts too.
    String stated = "X-Linked-Etag: \"" + "1".repeat(64) + "\"";
    Files.delete(target);
    assertTrue(refused(r -> Reply.of("200 OK", content, stated), null).contains("SHA-256 is"));
    assertTrue(refused(r -> Reply.of("200 OK", content, stated), sha256).contains("not the file"));
    assertNothing();
  }

  @Test
  void redirectionsAreFollowedButNotForEver() throws IOException {
    try (FileServer server =
        new FileServer(
            r ->
                r.path().equals("/elsewhere")
                    ? ranged(r)
                    : Reply.of("302 Found", new byte[0], "Location: /elsewhere"))) {
      fetch(server, null);
      assertWhole();
    }
    Files.delete(target);
    assertTrue(
        refused(r -> Reply.of("302 Found", new byte[0], "Location: /file.bin"), null)
            .contains("more than 10 times"));
    assertTrue(
        refused(r -> Reply.of("302 Found", new byte[0], "Location: file:///etc/passwd"), null)
            .contains("no http or https"));
    assertNothing();
  }

  @Test
  void whatIsNotThereLeavesNothingBehind() throws IOException {
    assertTrue(refused(r -> Reply.of("404 Not Found", new byte[0]), null).contains("404"));
    assertTrue(refused(r -> Reply.of("401 Unauthorized", new byte[0]), null).contains("everyone"));
    assertNothing();
  }

  @Test
  void twoAtATimeAreOneTooMany() throws IOException {
    Path part = folder.resolve("file.bin.part");
    try (FileChannel other =
            FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = other.lock()) {
      assertTrue(lock.isValid());
      assertTrue(refused(this::ranged, null).contains("another process"));
    }
  }

  @Test
  void offlineIsToldInOneLine() throws IOException {
    int port;
    try (ServerSocket free = new ServerSocket(0)) {
      port = free.getLocalPort();
    }
    String url = "http://127.0.0.1:%d/file.bin".formatted(port);
    Cli cli = Cli.run("pull", url, "--to", folder.toString()).fails(1, "is this machine online?");
    assertEquals(1, cli.err().lines().count(), cli.err());
    assertNothing();
  }

  @Test
  void aUrlIsFetchedOnceAndCheckedAfterwards() throws IOException {
    try (FileServer server = new FileServer(this::ranged)) {
      String url = server.address() + "/file.bin?download=true";
      String to = folder.toString();
      String sha256 = Cli.run("pull", url, "--to", to).ok().out().strip().replaceFirst(".* ", "");
      assertWhole();
      assertTrue(Cli.run("pull", url, "--to", to).ok().out().contains("there already"));
      Cli.run("pull", url, "--to", to, "--sha256", sha256).ok();
      assertEquals(1, server.requests().size());
      Cli.run("pull", url, "--to", to, "--sha256", "0".repeat(64)).fails(1, "--force");
      Cli.run("pull", url, "--to", to, "--sha256", "12").fails(1, "64 hexadecimal digits");
      Cli.run("pull", url, "--to", to, "--force").ok();
      assertEquals(2, server.requests().size());
    }
  }

  @Test
  void aNamedModelCanBeUsed() throws IOException {
    Path run = folder.resolve("run");
    Path text = folder.resolve("text.txt");
    Files.writeString(text, "to be or not to be, that is the question. ".repeat(40));
    Cli.run(
            ("train --data %s --out %s --steps 2 --layers 1 --heads 2 --width 16 --context 16"
                    + " --batch 2 --threads 1")
                .formatted(text, run)
                .split(" "))
        .ok();
    List<Catalog.Part> parts;
    try (var files = Files.list(run)) {
      parts =
          files
              .map(f -> f.getFileName().toString())
              .filter(n -> n.endsWith(".safetensors") || n.endsWith(".json"))
              .map(n -> new Catalog.Part("/it/" + n, n, null))
              .toList();
    }
    Path to = folder.resolve("pulled");
    Catalog catalog =
        Catalog.of(new Catalog.Item("it", "tiny", true, "https://example.invalid", parts));
    try (FileServer server =
        new FileServer(
            r -> {
              try {
                return Reply.of("200 OK", Files.readAllBytes(run.resolve(r.path().substring(4))));
              } catch (IOException e) {
                return Reply.of("404 Not Found", new byte[0]);
              }
            })) {
      StringWriter out = new StringWriter();
      CommandLine pull = new CommandLine(new PullCommand(catalog)).setOut(new PrintWriter(out));
      int code = pull.execute("it", "--to", to.toString(), "--mirror", server.address() + "/");
      assertEquals(0, code, out.toString());
      assertTrue(out.toString().contains("quern generate --model " + to), out.toString());
    }
    try (ModelFolder model = ModelFolder.open(to)) {
      assertEquals(16, model.config().width());
    }
  }

  @Test
  void namesAreListedAndWrongOnesToldSo() {
    String names = Cli.run("pull").ok().out();
    for (String name : Catalog.KNOWN.items().keySet()) {
      assertTrue(names.contains(name), names);
    }
    assertFalse(names.lines().anyMatch(l -> l.length() > 80), names);
    Cli.run("pull", "gpt5").fails(1, "gpt5", "gpt2-xl");
    Cli.run("pull", "http://").fails(1, "no address");
    Cli.run("pull", "https://example.invalid/").fails(1, "does not end with the name of a file");
  }

  @Test
  void aNameThatWasNotPulledIsExplained() {
    Cli.run("eval", "--data", "shakespeare").fails(1, "quern pull shakespeare");
    Cli.run("generate", "--model", "gpt2-xl", "x").fails(1, "quern pull gpt2-xl");
  }
}
