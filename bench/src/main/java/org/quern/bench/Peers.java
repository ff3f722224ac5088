package org.quern.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import org.jspecify.annotations.Nullable;

/// Other software, measured beside Quern in the same process. There only where the Maven profile
/// `peers` was built.
public interface Peers {
  /// The llama.cpp of the user's.
  ///
  /// @param bench its `llama-bench`
  /// @param model the GGUF file of GPT-2 that it runs, with weights in the precision that is
  ///   measured
  record Llama(Path bench, Path model) {}

  /// What to measure.
  ///
  /// @param benchmark `attention`, `matmul`, `prefill`, `decode` or `train`
  /// @param values of the study's parameters, where they are not the usual ones
  /// @param threads of both sides
  /// @param effort how much time to take
  /// @param out takes `ratios.json`; null for nowhere
  /// @param llama a further peer for `prefill` and `decode`; null for none
  record Request(
      String benchmark,
      Map<String, List<String>> values,
      int threads,
      Effort effort,
      @Nullable Path out,
      @Nullable Llama llama) {
    /// Copies the map.
    public Request {
      values = Map.copyOf(values);
    }

    /// {@return the values of a parameter}
    ///
    /// @param name of it
    /// @param usual what it has where none were chosen
    public List<String> of(String name, String... usual) {
      return values.getOrDefault(name, List.of(usual));
    }
  }

  /// Tells before anything is measured whether there is a peer.
  ///
  /// @param request what
  /// @throws IllegalArgumentException if no peer does that
  void check(Request request);

  /// {@return the ratios, as a table in Markdown}
  ///
  /// @param request what
  /// @param listener hears of each measurement
  /// @throws IOException if the results cannot be written
  /// @throws IllegalArgumentException if no peer does that, or a result is wrong
  String run(Request request, RunListener listener) throws IOException;

  /// {@return the peers that were built}
  ///
  /// @throws IllegalArgumentException if there are none, with the remedy
  static Peers load() {
    return ServiceLoader.load(Peers.class, Peers.class.getClassLoader())
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "the peers are not built: run ./quern bench ... --peers in a clone of the"
                        + " repository, which builds them (about 400 MB are loaded)"));
  }
}
