package org.quern.peers;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Settings;

/// Every peer computes what we compute.
class ContestsTest {
  static Stream<Match> matches() {
    return Stream.of(
        new Match(
            "attention", "pytorch", 1, Map.of("context", "33", "head", "64", "pass", "forward")),
        new Match(
            "attention",
            "pytorch",
            1,
            Map.of("context", "33", "head", "64", "pass", "forward+backward")),
        new Match("matmul", "mkl", 1, Map.of("m", "5", "shape", "70x33")),
        new Match("matmul", "openblas", 1, Map.of("m", "5", "shape", "70x33")),
        new Match("matmul", "pytorch", 1, Map.of("m", "5", "shape", "70x33", "weights", "bf16")),
        generation("prefill", "pytorch", 1, "f32"),
        generation("prefill", "pytorch", 2, "bf16"),
        generation("prefill", "onnxruntime", 2, "f32"),
        generation("prefill", "jlama", 2, "f32"),
        generation("decode", "pytorch", 1, "f32"),
        generation("decode", "pytorch", 2, "bf16"),
        generation("decode", "onnxruntime", 1, "f32"),
        generation("decode", "jlama", 2, "f32"),
        new Match("train", "pytorch", 1, Map.of("context", "17", "model", "toy")));
  }

  private static Match generation(String benchmark, String peer, int threads, String precision) {
    Map<String, String> params = Map.of("context", "33", "model", "toy", "precision", precision);
    return new Match(benchmark, peer, threads, params);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("matches")
  void bothGiveTheSame(Match match) {
    Settings settings =
        Settings.load()
            .withBackend("cpu")
            .withThreads(match.threads())
            .withPrecision(match.precision());
    try (Backend backend = Backends.open(settings);
        Contest contest = PeerProcess.open(backend, match)) {
      double difference = contest.difference();
      assertTrue(difference <= contest.terms().tolerance(), "differ by " + difference);
    }
  }
}
