package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// Memory over many steps, the driver's included.
class EnduranceTest {
  @Test
  @EnabledOnOs(OS.LINUX)
  void memoryStaysFlat() throws Exception {
    List<String> heap = List.of("-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch");
    Map<String, String> environment =
        new HashMap<>(Emulator.environment(Emulator.build(), Map.of()));
    environment.put("MALLOC_ARENA_MAX", "2");
    Fork.Result result = Fork.run(EnduranceRun.class, Duration.ofMinutes(5), environment, heap);
    assertEquals(0, result.exit(), result.out() + result.err());
    assertTrue(result.out().contains("memory stayed flat"), result.out());
  }
}
