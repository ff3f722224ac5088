package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// Failures that no driver gives on demand.
class FaultsTest {
  @Test
  @EnabledOnOs(OS.LINUX)
  void areToldAndLeaveNothingBehind() throws Exception {
    Present.require();
    Fork.Result result =
        Fork.run(FaultsRun.class, Duration.ofMinutes(2), Map.of(), List.of("-Dquern.cache=off"));
    assertEquals(0, result.exit(), result.err());
    assertTrue(result.out().contains("all faults were handled"), result.out());
  }
}
