package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Every kernel of the catalogue under a simulator that knows no mercy: no data race, no access out
/// of bounds, no barrier that an item misses, no wrong call of OpenCL.
class OclgrindSweepTest {
  private static final Duration LIMIT = Duration.ofMinutes(15);

  @Test
  void kernelsAreRaceFreeAndInBounds() throws IOException, InterruptedException {
    Oclgrind.require();
    Oclgrind.Result result = Oclgrind.run(SweepRun.class, LIMIT, List.of());
    assertEquals("", result.log(), result.output());
    assertEquals(0, result.exit(), result.output());
  }
}
