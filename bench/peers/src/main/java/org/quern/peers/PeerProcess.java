package org.quern.peers;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Settings;

/// The process that a match runs in. Arguments: a file for the result, rounds, warm-up and turn in
/// milliseconds, then what [Match#arguments] gives. The result is three lines: name and unit, and
/// the seconds a call of either side.
final class PeerProcess {
  private static final int OWN_ARGUMENTS = 4;

  private PeerProcess() {}

  /// Runs a match.
  public static void main(String[] args) throws IOException {
    List<String> all = Arrays.asList(args);
    Duel duel =
        new Duel(
            Integer.parseInt(args[1]),
            Long.parseLong(args[2]) * 1_000_000,
            Long.parseLong(args[3]) * 1_000_000);
    Match match = Match.parse(all.subList(OWN_ARGUMENTS, all.size()));
    Settings settings =
        Settings.load()
            .withBackend("cpu")
            .withThreads(match.threads())
            .withPrecision(match.precision());
    try (Backend backend = Backends.open(settings);
        Contest contest = open(backend, match)) {
      write(Path.of(args[0]), contest, duel.run(contest));
    }
  }

  private static void write(Path file, Contest c, Duel.Times times) throws IOException {
    try (var out = new PrintStream(Files.newOutputStream(file), false, StandardCharsets.UTF_8)) {
      Contest.Terms t = c.terms();
      out.println(t.unit() + " " + t.work() + " " + t.peerName());
      out.println(line(times.quern()));
      out.println(line(times.peer()));
      if (out.checkError()) {
        throw new IOException("cannot write " + file);
      }
    }
  }

  private static String line(double[] seconds) {
    StringBuilder out = new StringBuilder();
    for (double s : seconds) {
      out.append(String.format(Locale.ROOT, "%.9e ", s));
    }
    return out.toString().strip();
  }

  static Contest open(Backend backend, Match m) {
    return switch (m.benchmark()) {
      case "attention" -> new AttentionContest(backend, m);
      case "matmul" ->
          m.peer().equals(Matches.PYTORCH)
              ? new TorchLinearContest(backend, m)
              : new BlasContest(backend, m);
      case "prefill", "decode" ->
          m.peer().equals(Matches.LLAMA)
              ? new LlamaContest(
                  backend,
                  m,
                  Path.of(System.getProperty(LlamaContest.BENCH, "llama-bench")),
                  Path.of(System.getProperty(LlamaContest.MODEL, "model.gguf")))
              : new GenerationContest(backend, m);
      case "train" -> new TrainingContest(backend, m);
      default -> throw new IllegalArgumentException("no peer has a benchmark " + m.benchmark());
    };
  }
}
