package org.quern.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.quern.core.Settings;

/// From the start of a process to its end behind the first token, as a user waits for it.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2)
@Measurement(iterations = 10)
public class StartupBenchmark extends DeviceBenchmark {
  private static final String GENERATE = "generate";
  private static final String LIBRARY = "library";
  private static final String COMMAND = "org.quern.cli.Main"; // above this module: by name only
  private static final String PROMPT = "ROMEO:";

  /// Which points to measure.
  public static final Study STUDY =
      new Study(
          "startup",
          "From process start to the first token",
          "Wall time of whole processes of one token each, the virtual machine's start and end"
              + " included. `generate`: the command, with the model that comes with it; `library`:"
              + " a program that makes a random model of 2.9 million parameters.",
          StartupBenchmark.class,
          List.of(Study.series("program", LIBRARY, GENERATE).or()),
          (machine, point) -> !point.get("program").equals(GENERATE) || hasCommand());

  /// `generate` or `library`.
  @Param({LIBRARY, GENERATE})
  public String program = LIBRARY;

  private List<String> command = List.of();

  /// For JMH.
  public StartupBenchmark() {}

  private static boolean hasCommand() {
    String file = COMMAND.replace('.', '/') + ".class";
    return ClassLoader.getSystemResource(file) != null;
  }

  /// Composes the command line, and runs it once.
  ///
  /// @throws IOException if no process can be started
  /// @throws InterruptedException if this thread is interrupted
  @Setup(Level.Trial)
  public void compose() throws IOException, InterruptedException {
    List<String> line = new ArrayList<>();
    line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    line.add("-XX:+UseSerialGC");
    line.addAll(Launcher.JVM);
    Settings.load()
        .withBackend(backend)
        .asMap()
        .forEach((name, value) -> line.add("-D" + name + "=" + value));
    line.add("-cp");
    line.add(System.getProperty("java.class.path"));
    switch (program) {
      case GENERATE -> line.addAll(List.of(COMMAND, "generate", PROMPT, "--max-tokens", "1"));
      case LIBRARY -> line.add(FirstToken.class.getName());
      default -> throw new IllegalArgumentException("no program is named " + program);
    }
    command = List.copyOf(line);
    String text = firstToken();
    if (program.equals(GENERATE) ? !text.startsWith(PROMPT) : !text.strip().matches("\\d+")) {
      throw new IllegalStateException("the program printed '%s'".formatted(text));
    }
  }

  /// Runs the process to its end.
  ///
  /// @return what it printed
  /// @throws IOException if the process cannot be started
  /// @throws InterruptedException if this thread is interrupted
  @Benchmark
  public String firstToken() throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    process.getOutputStream().close();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    int code = process.waitFor();
    if (code != 0) {
      throw new IllegalStateException("exit code %d: %s".formatted(code, text));
    }
    return text;
  }
}
