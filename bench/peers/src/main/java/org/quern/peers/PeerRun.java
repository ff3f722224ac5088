package org.quern.peers;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.quern.bench.Effort;
import org.quern.bench.Peers;
import org.quern.bench.RunListener;

/// Runs every match in processes of its own, one after the other: what the JIT makes of a method
/// differs from process to process, and so do addresses.
public final class PeerRun implements Peers {
  /// How thorough a run is.
  ///
  /// @param processes of each match
  /// @param rounds of a process
  /// @param warmMillis for how long each side runs before
  /// @param turnMillis for how long a turn lasts at least
  private record Care(int processes, int rounds, int warmMillis, int turnMillis) {
    static final Care FULL = new Care(3, 5, 2500, 300);
    static final Care QUICK = new Care(1, 3, 1500, 150);
    static final Care TOY = new Care(1, 1, 0, 0);

    static Care of(Effort effort) {
      return switch (effort) {
        case TOY -> TOY;
        case QUICK -> QUICK;
        case WHOLE -> FULL;
      };
    }
  }

  /// For the service loader.
  public PeerRun() {}

  @Override
  public void check(Request request) {
    List<Match> matches = Matches.of(request);
    Llama llama = request.llama();
    if (llama == null) {
      return;
    }
    if (matches.stream().noneMatch(m -> m.peer().equals(Matches.LLAMA))) {
      throw new IllegalArgumentException("--llama-bench is for prefill and decode");
    }
    if (!Files.isExecutable(llama.bench()) || Files.isDirectory(llama.bench())) {
      throw new IllegalArgumentException(
          "--llama-bench %s is no program: build llama.cpp, and name its bin/llama-bench"
              .formatted(llama.bench()));
    }
    if (!Files.isReadable(llama.model()) || Files.isDirectory(llama.model())) {
      throw new IllegalArgumentException(
          "--llama-model %s cannot be read: name a GPT-2 124M in GGUF".formatted(llama.model()));
    }
  }

  @Override
  public String run(Request request, RunListener listener) throws IOException {
    List<Match> matches = Matches.of(request);
    Care care = Care.of(request.effort());
    Path folder = request.out();
    boolean temporary = folder == null;
    folder = temporary ? Files.createTempDirectory("quern-peers") : Files.createDirectories(folder);
    try {
      List<Ratio> ratios = new ArrayList<>();
      for (Match m : matches) {
        listener.next(ratios.size(), matches.size(), m.toString());
        ratios.add(measure(m, care, folder, request.llama()));
      }
      if (!temporary) {
        Report.writeJson(folder.resolve("ratios.json"), ratios);
      }
      return Report.table(ratios);
    } finally {
      if (temporary) {
        delete(folder);
      }
    }
  }

  private static Ratio measure(Match m, Care care, Path folder, @Nullable Llama llama)
      throws IOException {
    double[] quern = {};
    double[] peer = {};
    String[] head = {};
    for (int i = 0; i < care.processes(); i++) {
      List<String> lines = process(m, care, folder, llama);
      head = lines.get(0).split(" ", 3);
      quern = append(quern, lines.get(1));
      peer = append(peer, lines.get(2));
    }
    Contest.Unit unit = Contest.Unit.valueOf(head[0]);
    double work = Double.parseDouble(head[1]);
    double ratio = Figure.of(peer).median() / Figure.of(quern).median();
    return new Ratio(
        m,
        m.precision().name().toLowerCase(Locale.ROOT),
        unit,
        speed(unit, work, quern),
        speed(unit, work, peer),
        head[2],
        ratio);
  }

  private static double[] append(double[] values, String line) {
    DoubleStream more = Arrays.stream(line.split(" ", -1)).mapToDouble(Double::parseDouble);
    return DoubleStream.concat(Arrays.stream(values), more).toArray();
  }

  private static Figure speed(Contest.Unit unit, double work, double[] seconds) {
    return Figure.of(Arrays.stream(seconds).map(s -> unit.of(work, s)).toArray());
  }

  /// {@return the lines that a process wrote}
  private static List<String> process(Match m, Care care, Path folder, @Nullable Llama llama)
      throws IOException {
    Path result = Files.createTempFile(folder, "match", ".txt");
    Path log = folder.resolve("peers.log");
    try {
      List<String> command = command(m);
      if (llama != null) {
        command.add("-D" + LlamaContest.BENCH + "=" + llama.bench());
        command.add("-D" + LlamaContest.MODEL + "=" + llama.model());
      }
      command.add(PeerProcess.class.getName());
      command.add(result.toString());
      command.add(Integer.toString(care.rounds()));
      command.add(Integer.toString(care.warmMillis()));
      command.add(Integer.toString(care.turnMillis()));
      command.addAll(m.arguments());
      ProcessBuilder builder = new ProcessBuilder(command);
      builder.redirectErrorStream(true).redirectOutput(log.toFile());
      builder.environment().put("OMP_NUM_THREADS", Integer.toString(m.threads()));
      // ONNX Runtime would tell its makers, and a command line of 4 KiB crashes it, it seems there.
      builder.environment().put("ORT_DISABLE_TELEMETRY", "1");
      builder.environment().put("CLASSPATH", System.getProperty("java.class.path"));
      // MKL's default, Intel's own threads, is a library that need not be there.
      builder.environment().put("MKL_THREADING_LAYER", "GNU");
      int code = waitFor(builder.start());
      if (code != 0) {
        throw new IllegalArgumentException(
            "%s failed with exit code %d: %s".formatted(m, code, reason(log)));
      }
      return Files.readAllLines(result);
    } finally {
      Files.deleteIfExists(result);
    }
  }

  private static int waitFor(Process process) throws IOException {
    Thread end = new Thread(process::destroyForcibly);
    Runtime.getRuntime().addShutdownHook(end);
    try {
      int code = process.waitFor();
      Runtime.getRuntime().removeShutdownHook(end);
      return code;
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  /// {@return the first line of the log that tells of an exception, or the last}
  private static String reason(Path log) throws IOException {
    List<String> lines = Files.readAllLines(log);
    for (String line : lines) {
      if (line.startsWith("Exception in") || line.startsWith("Caused by")) {
        return line;
      }
    }
    return lines.isEmpty() ? "it said nothing" : lines.get(lines.size() - 1);
  }

  private static List<String> command(Match m) {
    Path natives = natives();
    return new ArrayList<>(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC",
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Dorg.bytedeco.javacpp.pathsFirst=true",
            "-Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "-Dorg.bytedeco.javacpp.maxBytes=0",
            "-Dorg.bytedeco.javacpp.cachedir=" + natives.resolveSibling("javacpp"),
            "-Djava.library.path=" + (m.peer().equals("pytorch") ? natives : "")));
  }

  /// {@return the folder that the build put PyTorch's libraries in}
  private static Path natives() {
    try {
      Path self =
          Path.of(PeerRun.class.getProtectionDomain().getCodeSource().getLocation().toURI());
      return self.resolveSibling("natives");
    } catch (java.net.URISyntaxException e) {
      throw new IllegalStateException("the class path has an entry that is no path", e);
    }
  }

  private static void delete(Path folder) throws IOException {
    List<Path> files;
    try (Stream<Path> list = Files.list(folder)) {
      files = list.toList();
    }
    for (Path f : files) {
      Files.delete(f);
    }
    Files.delete(folder);
  }
}
