package org.quern.peers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.quern.bench.Peers.Request;

/// Which matches a benchmark has. Its parameters are those of Quern's own benchmark of that name.
final class Matches {
  private static final String PYTORCH = "pytorch";

  private Matches() {}

  /// {@return the matches, in the order in which they are shown}
  ///
  /// @throws IllegalArgumentException if no peer does that
  static List<Match> of(Request r) {
    return switch (r.benchmark()) {
      case "attention" -> attention(r);
      case "matmul" -> matmul(r);
      case "prefill" -> models(r, "512", "1024");
      case "decode" -> models(r, "64");
      case "train" -> models(r, "256");
      default ->
          throw new IllegalArgumentException(
              "no peer has a benchmark "
                  + r.benchmark()
                  + "; there are attention, matmul, prefill, decode and train");
    };
  }

  private static List<Match> attention(Request r) {
    List<Match> out = new ArrayList<>();
    for (String pass : r.of("pass", "forward", "forward+backward")) {
      List<String> contexts =
          pass.equals("forward")
              ? r.of("context", "128", "256", "512", "1024", "2048", "4096", "8192")
              : r.of("context", "256", "1024", "2048");
      for (String head : r.of("head", "64")) {
        for (String context : contexts) {
          Map<String, String> params = Map.of("pass", pass, "head", head, "context", context);
          out.add(new Match(r.benchmark(), PYTORCH, r.threads(), params));
        }
      }
    }
    return out;
  }

  private static List<Match> matmul(Request r) {
    List<Match> out = new ArrayList<>();
    for (String m : r.of("m", "1", "64", "256", "1024")) {
      for (String shape : r.of("shape", "2304x768", "768x768", "3072x768", "768x3072")) {
        for (String peer : List.of("mkl", "openblas")) {
          Map<String, String> params = Map.of("m", m, "shape", shape);
          out.add(new Match(r.benchmark(), peer, r.threads(), params));
        }
      }
    }
    return out;
  }

  private static List<Match> models(Request r, String... usual) {
    List<Match> out = new ArrayList<>();
    for (String model : r.of("model", "gpt2")) {
      for (String context : r.of("context", usual)) {
        Map<String, String> params = Map.of("model", model, "context", context);
        out.add(new Match(r.benchmark(), PYTORCH, r.threads(), params));
      }
    }
    return out;
  }
}
