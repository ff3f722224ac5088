package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Proves that a run under oclgrind sees what is wrong with a kernel, and nothing else.
class OclgrindTest {
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private static Oclgrind.Result run(String kernel) throws IOException, InterruptedException {
    Oclgrind.require();
    Oclgrind.Result result = Oclgrind.run(OclgrindRun.class, LIMIT, List.of(), kernel);
    assertTrue(result.output().contains("Oclgrind"), result.output());
    assertEquals(0, result.exit(), result.output());
    return result;
  }

  @Test
  void findsNothingInARightKernelNorInTheHostsCalls() throws Exception {
    Oclgrind.Result result = run("reverse");
    assertEquals("", result.log());
    assertTrue(result.output().contains("the first is 7.0"), result.output());
  }

  @Test
  void findsARace() throws Exception {
    String log = run("reverse_racy").log();
    assertTrue(log.contains("data race"), log);
    assertTrue(log.contains("reverse_racy"), log);
  }

  @Test
  void findsAWriteOutOfBounds() throws Exception {
    String log = run("reverse_outside").log();
    assertTrue(log.contains("Invalid write"), log);
    assertTrue(log.contains("reverse_outside"), log);
  }
}
