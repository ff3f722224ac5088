package org.quern.peers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.quern.bench.Peers.Request;

/// Which matches a benchmark has. Its parameters are those of Quern's own benchmark of that name.
final class Matches {
  static final String PYTORCH = "pytorch";
  static final String LLAMA = "llama.cpp";
  static final String JLAMA = "jlama";
  static final String ONNX = "onnxruntime";

  private Matches() {}

  /// {@return the matches, in the order in which they are shown}
  ///
  /// @throws IllegalArgumentException if no peer does that
  static List<Match> of(Request r) {
    List<Match> out =
        switch (r.benchmark()) {
          case "attention" -> attention(r);
          case "matmul" -> matmul(r);
          case "prefill" -> inference(r, "512", "1024");
          case "decode" -> inference(r, "128", "512");
          case "train" -> training(r);
          default ->
              throw new IllegalArgumentException(
                  "no peer has a benchmark "
                      + r.benchmark()
                      + "; there are attention, matmul, prefill, decode and train");
        };
    if (out.isEmpty()) {
      throw new IllegalArgumentException(
          "no peer does %s with %s".formatted(r.benchmark(), new TreeMap<>(r.values())));
    }
    return out;
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
    for (String weights : r.of("weights", "f32", "bf16")) {
      for (String m : r.of("m", "1", "64", "256", "1024")) {
        for (String shape : r.of("shape", "2304x768", "768x768", "3072x768", "768x3072")) {
          for (String peer : multiplying(weights)) {
            Map<String, String> params = Map.of("m", m, "shape", shape, "weights", weights);
            out.add(new Match(r.benchmark(), peer, r.threads(), params));
          }
        }
      }
    }
    return out;
  }

  private static List<String> multiplying(String weights) {
    return switch (weights) {
      case "f32" -> List.of("mkl", "openblas");
      case "bf16" -> List.of(PYTORCH);
      default -> List.of();
    };
  }

  private static List<Match> inference(Request r, String... usual) {
    List<Match> out = new ArrayList<>();
    List<String> precisions = r.of("precision", "f32", "bf16");
    if (r.llama() != null && precisions.size() != 1) {
      throw new IllegalArgumentException(
          "a model of llama.cpp has one precision: choose it by --param precision=f32, bf16 or q8");
    }
    for (String precision : precisions) {
      for (String model : r.of("model", "gpt2")) {
        for (String context : r.of("context", usual)) {
          for (String peer : reading(precision, r.llama() != null)) {
            Map<String, String> params =
                Map.of("model", model, "context", context, "precision", precision);
            out.add(new Match(r.benchmark(), peer, r.threads(), params));
          }
        }
      }
    }
    return out;
  }

  /// With llama.cpp first: whether its file fits is known at once then.
  private static List<String> reading(String precision, boolean llama) {
    List<String> out = new ArrayList<>(llama ? List.of(LLAMA) : List.of());
    out.addAll(
        switch (precision) {
          case "f32" -> List.of(PYTORCH, ONNX, JLAMA);
          case "bf16" -> List.of(PYTORCH);
          default -> List.of();
        });
    return out;
  }

  private static List<Match> training(Request r) {
    List<Match> out = new ArrayList<>();
    for (String model : r.of("model", "gpt2")) {
      for (String context : r.of("context", "256")) {
        Map<String, String> params = Map.of("model", model, "context", context);
        out.add(new Match(r.benchmark(), PYTORCH, r.threads(), params));
      }
    }
    return out;
  }
}
