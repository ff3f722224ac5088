package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.core.Scope;
import org.quern.core.Settings;
import org.quern.core.Tensor;
import org.quern.core.Trans;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Ladder;
import org.quern.kernels.Ladder.AttentionRung;
import org.quern.kernels.Ladder.MatmulRung;
import org.quern.kernels.Tuning;

/// Every rung of the ladder against loops in float64. What a learner reads must be right, and what
/// is wrong must not be timed.
class LadderTest {
  private DeviceBackend backend;

  private DeviceBackend open(Tuning tuning) {
    Present.require();
    backend = OpenClProvider.open(0, Settings.load().withDebug(true), tuning);
    return backend;
  }

  @AfterEach
  void close() {
    if (backend != null) {
      assertEquals(List.of(), backend.pool().leaks());
      backend.close();
    }
  }

  static List<Arguments> rungs() {
    List<Arguments> out = new ArrayList<>();
    for (AttentionRung rung : AttentionRung.values()) {
      for (int size : new int[] {16, 64}) {
        out.add(Arguments.of(rung, size));
      }
    }
    return out;
  }

  @ParameterizedTest
  @MethodSource("rungs")
  void attention(AttentionRung rung, int size) {
    DeviceBackend b = open(Tuning.cpu(16));
    for (int t : new int[] {1, 7, 64, 130}) {
      new LadderCheck(b, "attention/" + t).attention(rung, t, size);
    }
  }

  @ParameterizedTest
  @EnumSource
  void matmul(MatmulRung rung) {
    LadderCheck check = new LadderCheck(open(Tuning.cpu(16)), "matmul");
    for (Trans tb : Trans.values()) {
      check.matmul(rung, tb, 1, 1, 1);
      check.matmul(rung, tb, 7, 13, 3);
      check.matmul(rung, tb, 64, 64, 64);
      check.matmul(rung, tb, 65, 130, 33);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void unfusedMaskedSoftmax(boolean wide) {
    LadderCheck check = new LadderCheck(open(wide ? Tuning.cpu(16) : Tuning.gpu()), "softmax");
    for (int t : new int[] {1, 7, 64, 130, 600}) {
      check.softmax(t);
    }
  }

  @Test
  void shapesThatDoNotFitAreNamed() {
    DeviceBackend b = open(Tuning.gpu());
    try (Scope scope = b.open("ladder")) {
      Tensor y = scope.floats(1, 1, 4, 16);
      Tensor x = scope.floats(1, 1, 4, 8);
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class,
              () -> Ladder.attention(b, AttentionRung.LOOPS, y, y, x, y, 1, scope));
      assertEquals(
          "attention: all must be (B, H, T, D), found y %s and %s".formatted(y.shape(), x.shape()),
          e.getMessage());
      assertThrows(IllegalArgumentException.class, () -> Ladder.unfusedMaskedSoftmax(b, x, x, 1));
    }
  }

  @Test
  void oclgrindFindsNothing() throws IOException, InterruptedException {
    Oclgrind.require();
    Oclgrind.Result result = Oclgrind.run(LadderRun.class, Duration.ofMinutes(5), List.of());
    assertEquals("", result.log(), result.output());
    assertEquals(0, result.exit(), result.output());
    assertTrue(result.output().contains("Oclgrind"), result.output());
  }
}
