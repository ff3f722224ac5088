package org.quern.peers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Which matches a benchmark has.
final class Matches {
  private static final List<Integer> FORWARD = List.of(128, 256, 512, 1024, 2048, 4096, 8192);
  private static final List<Integer> BACKWARD = List.of(256, 1024, 2048);
  private static final List<Integer> ROWS = List.of(1, 64, 256, 1024);

  /// N and K of GPT-2's linear maps.
  private static final int[][] LINEAR = {{2304, 768}, {768, 768}, {3072, 768}, {768, 3072}};

  private Matches() {}

  /// {@return the matches, in the order in which they are shown}
  ///
  /// @param benchmark which
  /// @param sizes T, or M of `matmul`; empty for the benchmark's own
  /// @param threads of both sides
  /// @param model `gpt2` or `toy`
  /// @throws IllegalArgumentException if no peer does that
  static List<Match> of(String benchmark, List<Integer> sizes, int threads, String model) {
    return switch (benchmark) {
      case "attention" -> attention(sizes, threads);
      case "matmul" -> matmul(sizes.isEmpty() ? ROWS : sizes, threads);
      case "prefill" -> model(benchmark, sizes, List.of(512, 1024), threads, model);
      case "decode" -> model(benchmark, sizes, List.of(48), threads, model);
      case "train" -> model(benchmark, sizes, List.of(256), threads, model);
      default ->
          throw new IllegalArgumentException(
              "no peer has a benchmark "
                  + benchmark
                  + "; there are attention, matmul, prefill, decode and train");
    };
  }

  private static List<Match> attention(List<Integer> sizes, int threads) {
    List<Match> out = new ArrayList<>();
    for (String pass : List.of("forward", "forward+backward")) {
      List<Integer> usual = pass.equals("forward") ? FORWARD : BACKWARD;
      for (int t : sizes.isEmpty() ? usual : sizes) {
        Map<String, String> params = Map.of("T", Integer.toString(t), "D", "64", "pass", pass);
        out.add(new Match("attention", "pytorch", threads, params));
      }
    }
    return out;
  }

  private static List<Match> matmul(List<Integer> rows, int threads) {
    List<Match> out = new ArrayList<>();
    for (int m : rows) {
      for (int[] shape : LINEAR) {
        for (String peer : List.of("mkl", "openblas")) {
          Map<String, String> params =
              Map.of(
                  "M", Integer.toString(m),
                  "N", Integer.toString(shape[0]),
                  "K", Integer.toString(shape[1]));
          out.add(new Match("matmul", peer, threads, params));
        }
      }
    }
    return out;
  }

  private static List<Match> model(
      String benchmark, List<Integer> sizes, List<Integer> usual, int threads, String model) {
    List<Match> out = new ArrayList<>();
    for (int t : sizes.isEmpty() ? usual : sizes) {
      Map<String, String> params = Map.of("T", Integer.toString(t), "model", model);
      out.add(new Match(benchmark, "pytorch", threads, params));
    }
    return out;
  }
}
