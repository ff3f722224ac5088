package org.quern.cuda;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/// Runs a main class of the tests in a JVM of its own, on the class path: for what can be tried
/// only once a process, such as a machine that lacks a library.
final class Fork {
  private Fork() {}

  /// What a run left.
  ///
  /// @param exit the process's exit code
  /// @param out what it wrote to standard output
  /// @param err what it wrote to standard error
  record Result(int exit, String out, String err) {}

  /// Runs a class with all that these tests have on their paths, and waits for it.
  ///
  /// @param main has a `main(String[])`, and lies in this module's tests
  /// @param limit after which the process is killed and the test fails
  /// @param environment variables beside those of this process
  /// @param options for the JVM, such as `-Dname=value`
  /// @param arguments for `main`
  /// @return what it left
  static Result run(
      Class<?> main,
      Duration limit,
      Map<String, String> environment,
      List<String> options,
      String... arguments)
      throws IOException, InterruptedException {
    return run(main, limit, environment, options, jar -> true, arguments);
  }

  /// Runs a class and waits for it.
  ///
  /// @param entries which entries of the class path it gets
  static Result run(
      Class<?> main,
      Duration limit,
      Map<String, String> environment,
      List<String> options,
      Predicate<String> entries,
      String... arguments)
      throws IOException, InterruptedException {
    Path folder = Files.createTempDirectory("quern-fork");
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    try {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(List.of("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
      command.add("--enable-native-access=ALL-UNNAMED");
      String agent = System.getProperty("quern.test.agent", "");
      if (agent.startsWith("-javaagent:")) {
        command.add(agent); // what runs there counts too
      }
      command.addAll(options);
      command.addAll(List.of("-cp", classPath(main, entries), main.getName()));
      command.addAll(List.of(arguments));
      ProcessBuilder builder = new ProcessBuilder(command);
      builder.environment().putAll(environment);
      builder.redirectOutput(out.toFile()).redirectError(err.toFile());
      Process process = builder.start();
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        process.destroyForcibly().waitFor();
        throw new AssertionError(
            "%s ran longer than %s:%n%s%s"
                .formatted(main.getName(), limit, Files.readString(out), Files.readString(err)));
      }
      return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
    } finally {
      Files.deleteIfExists(out);
      Files.deleteIfExists(err);
      Files.deleteIfExists(folder);
    }
  }

  /// All that this JVM has on its module path and class path, and the tests themselves, which are
  /// patched into a module and hence on neither.
  private static String classPath(Class<?> main, Predicate<String> entries) {
    Set<String> out = new LinkedHashSet<>();
    out.add(root(main));
    ModuleLayer.boot().configuration().modules().stream()
        .flatMap(m -> m.reference().location().stream())
        .filter(uri -> uri.getScheme().equals("file"))
        .forEach(uri -> out.add(Path.of(uri).toString()));
    out.addAll(List.of(System.getProperty("java.class.path").split(File.pathSeparator)));
    out.removeIf(entries.negate());
    return String.join(File.pathSeparator, out);
  }

  private static String root(Class<?> main) {
    String name = main.getName().replace('.', '/') + ".class";
    URL url = Objects.requireNonNull(main.getResource("/" + name), name);
    String text = url.toString();
    if (!text.startsWith("file:")) {
      throw new UncheckedIOException(new IOException("not a folder of classes: " + text));
    }
    return Path.of(URI.create(text.substring(0, text.length() - name.length()))).toString();
  }
}
