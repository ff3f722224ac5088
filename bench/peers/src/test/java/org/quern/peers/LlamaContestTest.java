package org.quern.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.quern.bench.Effort;
import org.quern.bench.Models;
import org.quern.bench.Peers.Llama;
import org.quern.bench.Peers.Request;
import org.quern.core.Backend;
import org.quern.core.Backends;
import org.quern.core.Settings;
import org.quern.gpt.Gpt;
import org.quern.gpt.ParameterSource;

/// With a script in place of llama-bench, which keeps its arguments and prints what the real one
/// prints.
class LlamaContestTest {
  @TempDir Path folder;

  private Path script(String type, long parameters, int code) throws IOException {
    Path out = folder.resolve("llama-bench");
    Files.writeString(
        out,
        """
        #!/bin/sh
        echo "$@" > %s
        cat <<END
        [
          {
            "build_commit": "8cf427ff",
            "build_number": 5163,
            "cpu_info": "a processor",
            "backends": "CPU",
            "model_filename": "gpt2.gguf",
            "model_type": "%s",
            "model_size": 497000000,
            "model_n_params": %d,
            "cpu_strict": false,
            "devices": "auto",
            "n_prompt": 0,
            "n_gen": 16,
            "n_depth": 17,
            "test_time": "2025-04-24T11:58:50Z",
            "avg_ns": 72135640,
            "stddev_ns": 0,
            "avg_ts": 7100.002165,
            "stddev_ts": 0.000000,
            "samples_ns": [ 72135640 ],
            "samples_ts": [ 7100 ]
          }
        ]
        END
        exit %d
        """
            .formatted(folder.resolve("arguments"), type, parameters, code));
    assertTrue(out.toFile().setExecutable(true));
    return out;
  }

  private static Backend backend() {
    return Backends.open(Settings.load().withBackend("cpu").withThreads(2));
  }

  private static long parameters(Backend backend) {
    try (Gpt gpt = new Gpt(backend, Models.config("toy"), ParameterSource.random(Models.SEED))) {
      return gpt.parameters().count();
    }
  }

  private static Match match(String benchmark) {
    Map<String, String> params = Map.of("context", "33", "model", "toy", "precision", "f32");
    return new Match(benchmark, Matches.LLAMA, 2, params);
  }

  @ParameterizedTest
  @CsvSource({
    "decode, -o json -m gpt2.gguf -t 2 -ngl 0 -r 1 -p 0 -n 16 -d 17",
    "prefill, -o json -m gpt2.gguf -t 2 -ngl 0 -r 1 -p 33 -n 0"
  })
  void whatItMeasuredCounts(String benchmark, String arguments) throws IOException {
    try (Backend backend = backend()) {
      Path bench = script("gpt2 0.1B all F32", parameters(backend), 0);
      try (Contest c = new LlamaContest(backend, match(benchmark), bench, Path.of("gpt2.gguf"))) {
        assertEquals(
            "llama.cpp build 5163 with gpt2 0.1B all F32, results not compared",
            c.terms().peerName());
        Duel.Times times = new Duel(2, 0, 0).run(c);
        assertEquals(0.072135640, times.peer()[1], 1e-12);
        assertTrue(times.quern()[1] > 0);
        assertEquals(arguments, Files.readString(folder.resolve("arguments")).strip());
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "llama 7B all F32, 0, 0, and not the GPT-2 of",
    "gpt2 0.1B all F32, 1, 0, and not the GPT-2 of",
    "gpt2 0.1B Q8_0, 0, 0, choose the other by --llama-model",
    "gpt2 0.1B all F32, 0, 7, failed with exit code 7"
  })
  void anotherModelIsRefused(String type, int more, int code, String reason) throws IOException {
    try (Backend backend = backend()) {
      Path bench = script(type, parameters(backend) + more, code);
      Path model = Path.of("gpt2.gguf");
      var e =
          assertThrows(
              IllegalStateException.class,
              () -> new LlamaContest(backend, match("decode"), bench, model));
      assertTrue(String.valueOf(e.getMessage()).contains(reason), e.getMessage());
    }
  }

  @Test
  void otherOutputIsRefused() {
    for (String text : List.of("", "{}", "[{}]", "[ { \"avg_ns\": 0 } ]", "error: no model")) {
      assertThrows(IOException.class, () -> LlamaBench.parse(text), text);
    }
  }

  @Test
  void whatIsNotThereIsToldBefore() throws IOException {
    Path bench = script("gpt2 0.1B all F32", 1, 0);
    Map<String, List<String>> values = Map.of("precision", List.of("q8"));
    Request none =
        new Request(
            "decode", values, 2, Effort.TOY, null, new Llama(bench, folder.resolve("none.gguf")));
    var e = assertThrows(IllegalArgumentException.class, () -> new PeerRun().check(none));
    assertTrue(String.valueOf(e.getMessage()).contains("none.gguf cannot be read"));
    Request folderAsBench =
        new Request("decode", values, 2, Effort.TOY, null, new Llama(folder, bench));
    e = assertThrows(IllegalArgumentException.class, () -> new PeerRun().check(folderAsBench));
    assertTrue(String.valueOf(e.getMessage()).contains("is no program"));
    Request attention =
        new Request("attention", Map.of(), 2, Effort.TOY, null, new Llama(bench, bench));
    e = assertThrows(IllegalArgumentException.class, () -> new PeerRun().check(attention));
    assertTrue(String.valueOf(e.getMessage()).contains("for prefill and decode"));
    Request two = new Request("decode", Map.of(), 2, Effort.TOY, null, new Llama(bench, bench));
    e = assertThrows(IllegalArgumentException.class, () -> new PeerRun().check(two));
    assertTrue(String.valueOf(e.getMessage()).contains("has one precision"));
  }
}
