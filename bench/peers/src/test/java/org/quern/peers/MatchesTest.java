package org.quern.peers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.bench.Effort;
import org.quern.bench.Peers.Request;

class MatchesTest {
  private static Request request(String benchmark, Map<String, List<String>> values) {
    return new Request(benchmark, values, 2, Effort.TOY, null, null);
  }

  @Test
  void everyPeerOfAPrecision() {
    Request f32 = request("decode", Map.of("precision", List.of("f32"), "context", List.of("64")));
    List<Match> matches = Matches.of(f32);
    assertEquals(
        List.of("pytorch", "onnxruntime", "jlama"), matches.stream().map(Match::peer).toList());
    for (Match m : matches) {
      assertEquals(2, m.threads());
      assertEquals("context=64 model=gpt2 precision=f32", m.sizes());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"softmax", "startup"})
  void aBenchmarkThatNoPeerHasIsRefusedBefore(String benchmark) {
    Request r = request(benchmark, Map.of());
    var e = assertThrows(IllegalArgumentException.class, () -> new PeerRun().check(r));
    assertTrue(e.getMessage().contains("no peer has a benchmark " + benchmark), e.getMessage());
  }

  @Test
  void aPrecisionThatNoPeerHasIsRefusedBefore() {
    Request r = request("matmul", Map.of("weights", List.of("f16")));
    var e = assertThrows(IllegalArgumentException.class, () -> new PeerRun().check(r));
    assertTrue(e.getMessage().contains("no peer does matmul with {weights=[f16]}"), e.getMessage());
  }
}
