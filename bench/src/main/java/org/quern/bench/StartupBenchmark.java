package org.quern.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.DType;
import org.quern.core.Settings;
import org.quern.gpt.Gpt;
import org.quern.gpt.ParameterSource;
import org.quern.io.ModelFolder;

/// From the start of a process to its end behind the first token, as a user waits for it.
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2)
@Measurement(iterations = 10)
public class StartupBenchmark extends DeviceBenchmark {
  private static final String GENERATE = "generate";
  private static final String LIBRARY = "library";
  private static final String GPT2 = "gpt2";
  private static final String COMMAND = "org.quern.cli.Main"; // above this module: by name only
  private static final String PROMPT = "ROMEO:";
  private static final String IDS = "464 3290";

  /// Options of this JVM that its children start with too: the archive of classes that the launcher
  /// keeps.
  private static final List<String> INHERITED =
      List.of("-XX:SharedArchiveFile=", "-Xshare:", "-Xlog:cds", "-Xlog:aot");

  /// Which points to measure.
  public static final Study STUDY =
      new Study(
          "startup",
          "From process start to the first token",
          "Wall time of whole processes of one token each, the virtual machine's start and end"
              + " included. `generate`: the command, with the model that comes with it; `gpt2`: the"
              + " command, with a folder of GPT-2's size (124 million random parameters in f32, no"
              + " tokenizer) that the machine has read before; `library`: a program that makes a"
              + " random model of 2.9 million parameters.",
          StartupBenchmark.class,
          List.of(Study.series("program", LIBRARY, GENERATE, GPT2).or()),
          (machine, point) -> point.get("program").equals(LIBRARY) || hasCommand());

  /// `generate`, `gpt2` or `library`.
  @Param({LIBRARY, GENERATE, GPT2})
  public String program = LIBRARY;

  private List<String> command = List.of();
  private @Nullable Path folder;

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
    for (String option : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
      if (INHERITED.stream().anyMatch(option::startsWith)) {
        line.add(option);
      }
    }
    Settings.load()
        .withBackend(backend)
        .asMap()
        .forEach((name, value) -> line.add("-D" + name + "=" + value));
    line.add("-cp");
    line.add(System.getProperty("java.class.path"));
    switch (program) {
      case GENERATE -> line.addAll(List.of(COMMAND, "generate", PROMPT, "--max-tokens", "1"));
      case GPT2 -> {
        line.addAll(List.of(COMMAND, "generate", "--ids", IDS, "--max-tokens", "1", "--model"));
        line.add(makeFolder().toString());
      }
      case LIBRARY -> line.add(FirstToken.class.getName());
      default -> throw new IllegalArgumentException("no program is named " + program);
    }
    command = List.copyOf(line);
    String text = firstToken();
    boolean right =
        switch (program) {
          case GENERATE -> text.startsWith(PROMPT);
          case GPT2 -> text.strip().matches(IDS + " \\d+");
          default -> text.strip().matches("\\d+");
        };
    if (!right) {
      throw new IllegalStateException("the program printed '%s'".formatted(text));
    }
  }

  private Path makeFolder() throws IOException {
    Path made = Files.createTempDirectory("quern-startup-");
    folder = made;
    try (Backend backend = Backends.open(Settings.load().withBackend("cpu"));
        Gpt gpt = new Gpt(backend, Models.config(GPT2), ParameterSource.random(Models.SEED))) {
      ModelFolder.save(made, gpt, null, DType.F32, Map.of());
    }
    return made;
  }

  /// Deletes the model.
  ///
  /// @throws IOException if that fails
  @TearDown(Level.Trial)
  public void deleteFolder() throws IOException {
    Path made = folder;
    if (made == null) {
      return;
    }
    try (Stream<Path> files = Files.list(made)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(made);
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
