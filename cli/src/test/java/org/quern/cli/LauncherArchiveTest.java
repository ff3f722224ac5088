package org.quern.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// The launcher's archive of classes, whatever state it is in, shows in nothing but the time of a
/// start. The application here is one class that prints its arguments.
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "the launcher is a shell script")
class LauncherArchiveTest {
  private static final Path BIN = Path.of(System.getProperty("java.home"), "bin");

  @TempDir Path checkout;

  private Path target;
  private Path archive;

  /// What a run printed.
  private record Run(String out, String err) {}

  @BeforeEach
  void makeCheckout() throws Exception {
    target = Files.createDirectories(checkout.resolve("cli/target"));
    archive = target.resolve("quern.jsa");
    Files.copy(Path.of("..", "quern"), checkout.resolve("quern"));
    makeApplication("one", 0);
    Files.createFile(target.resolve("quern.stamp")); // nothing to build
  }

  private void makeApplication(String name, int exitCodeOfDevices) throws Exception {
    Path source = checkout.resolve("Main.java");
    Files.writeString(
        source,
        """
        package org.quern.cli;
        public final class Main {
          public static void main(String... args) {
            System.out.println("%s " + java.util.List.of(args));
            System.exit(args[0].equals("devices") ? %d : 0);
          }
        }
        """
            .formatted(name, exitCodeOfDevices));
    Path classes = checkout.resolve("classes");
    Path app = Files.createDirectories(target.resolve("app"));
    tool("javac", "-d", classes.toString(), source.toString());
    tool(
        "jar",
        "--create",
        "--file",
        app.resolve("main.jar").toString(),
        "-C",
        classes.toString(),
        ".");
  }

  private static void tool(String name, String... arguments) throws Exception {
    List<String> line = new ArrayList<>(List.of(BIN.resolve(name).toString()));
    line.addAll(Arrays.asList(arguments));
    Process process = new ProcessBuilder(line).inheritIO().start();
    assertEquals(0, process.waitFor(), name);
  }

  private Run run() throws Exception {
    Path err = checkout.resolve("err");
    ProcessBuilder builder =
        new ProcessBuilder("sh", checkout.resolve("quern").toString(), "say", "a b")
            .redirectError(err.toFile());
    builder.environment().put("JAVA_HOME", BIN.getParent().toString());
    builder.environment().keySet().removeIf(k -> k.equals("JAVA_OPTS") || k.startsWith("JDK_JAVA"));
    Process process = builder.start();
    process.getOutputStream().close();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    String errors = Files.readString(err);
    assertEquals(0, process.waitFor(), errors);
    return new Run(out, errors);
  }

  private void checkOutput(String name) throws Exception {
    Run run = run();
    assertEquals("%s [say, a b]%n".formatted(name), run.out());
    assertEquals(
        List.of(), run.err().lines().filter(l -> !l.contains("Using incubator modules")).toList());
  }

  /// {@return the archive's content, in short}
  private int content() throws IOException {
    return Arrays.hashCode(Files.readAllBytes(archive));
  }

  @Test
  void theFirstRunMakesIt() throws Exception {
    checkOutput("one");
    assertTrue(Files.size(archive) > 1 << 20);
    int made = content();
    checkOutput("one");
    assertEquals(made, content());
    try (var files = Files.list(target)) { // nothing is left over
      assertEquals(
          List.of("app", "quern-archive.log", "quern.jsa", "quern.jsa.mark", "quern.stamp"),
          files.map(f -> f.getFileName().toString()).sorted().toList());
    }
  }

  @Test
  void aBrokenOneIsPassedOver() throws Exception {
    checkOutput("one");
    byte[] whole = Files.readAllBytes(archive);
    Files.write(archive, Arrays.copyOf(whole, whole.length / 2));
    checkOutput("one");
    Files.write(archive, new byte[5000]);
    checkOutput("one");
    Files.write(archive, new byte[0]);
    checkOutput("one");
    Files.delete(archive);
    checkOutput("one");
    assertFalse(Files.exists(archive)); // made once, not again and again
  }

  @Test
  void anotherApplicationThanItsOwnRuns() throws Exception {
    checkOutput("one");
    int made = content();
    FileTime before = Files.getLastModifiedTime(archive);
    makeApplication("two", 0);
    Path jar = target.resolve("app/main.jar");
    Files.setLastModifiedTime(jar, FileTime.fromMillis(before.toMillis() - 100_000));
    checkOutput("two");
    assertEquals(made, content()); // the jar looks older than the archive
    Files.setLastModifiedTime(jar, FileTime.fromMillis(System.currentTimeMillis() + 1000));
    checkOutput("two");
    assertNotEquals(made, content());
  }

  @Test
  void aFolderThatIsNotToBeWrittenDoes() throws Exception {
    Files.createDirectory(target.resolve("quern.jsa.mark")); // root may write anywhere else
    checkOutput("one");
    assertFalse(Files.exists(archive));
  }

  @Test
  void aCommandThatFailsWhileItIsMadeDoesNoHarm() throws Exception {
    makeApplication("three", 1);
    checkOutput("three");
    assertTrue(Files.exists(archive));
  }
}
