package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.quern.cuda.SelfTestKernels.PLANTED_BUGS;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.cuda.Emulator.Fact;

/// The emulator finds the bugs that were planted in `selftest/planted_bugs.cu`, and no others.
class PlantedBugsTest {
  private static final int SUCCESS = 0;
  private static final int ILLEGAL_ADDRESS = 700;
  private static final int MISALIGNED_ADDRESS = 716;
  private static final int LAUNCH_FAILED = 719;

  private final Emulator emulator = Emulator.load();

  @BeforeEach
  void quiet() {
    emulator.reset();
    emulator.set(Fact.PRINT, 0);
  }

  @AfterEach
  void nothingIsLeft() {
    assertEquals("", emulator.live());
    emulator.reset();
  }

  static Stream<String> rightKernels() {
    return Pattern.compile("(?:void |COLUMN\\()(right_\\w+)")
        .matcher(SelfTestKernels.text(PLANTED_BUGS))
        .results()
        .map(r -> r.group(1));
  }

  @ParameterizedTest
  @MethodSource("rightKernels")
  void aRightKernelIsNotReported(String kernel) {
    emulator.set(Fact.CHECK, 1);
    for (long order : new long[] {0, 1, 7}) {
      for (long copies : new long[] {0, 1, 2}) {
        emulator.set(Fact.ORDER, order);
        emulator.set(Fact.ASYNC_COPY, copies);
        assertEquals(SUCCESS, run(kernel, 1, 64).code());
      }
    }
    assertEquals("", emulator.reports());
  }

  @ParameterizedTest
  @CsvSource({
    "race_no_barrier, 0, data race",
    "race_no_warp_barrier, 0, data race",
    "race_warp_barrier_across_warps, 0, data race",
    "race_halves, 0, data race (write after write)",
    "uninitialised_shared, 0, read of uninitialised memory",
    "bounds_dynamic_shared, 700, out-of-bounds shared write",
    "divergent_barrier, 719, divergent __syncthreads",
    "divergent_ended, 0, 14 of 64 threads ended before a barrier",
    "race_global, 0, data race",
    "bounds_global, 700, out-of-bounds global read",
    "bounds_far, 700, out-of-bounds global write",
    "host_pointer, 700, out-of-bounds global read",
    "uninitialised_global, 0, read of uninitialised memory",
    "misaligned_scalar, 716, misaligned access",
    "misaligned_vector, 716, misaligned vector load",
    "divergent_shuffle, 719, divergent warp operation",
    "divergent_mma, 719, divergent warp operation",
    "divergent_operations, 719, divergent warp operation",
    "copy_no_wait, 0, cp.async to it is in flight",
    "copy_no_commit, 0, cp.async to it is in flight",
    "copy_wait_for_too_few, 0, cp.async to it is in flight",
    "copy_no_barrier, 0, data race",
    "copy_over_readers, 0, data race (write after read)",
    "copy_never_waited, 0, never waits for",
    "misaligned_copy_source, 716, misaligned cp.async source",
    "misaligned_copy_target, 716, misaligned cp.async destination",
    "bounds_copy, 700, out-of-bounds global read",
    "misaligned_ldmatrix, 716, misaligned ldmatrix row address",
    "race_ldmatrix, 0, data race",
    "bounds_dynamic_ldmatrix, 700, out-of-bounds ldmatrix row address",
  })
  void aBugIsFound(String kernel, int code, String report) {
    emulator.set(Fact.CHECK, 1);
    assertEquals(code, run(kernel, 1, 64).code(), emulator.reports());
    assertTrue(emulator.reports().contains(report), emulator.reports());
    assertTrue(emulator.reports().contains("in " + kernel) || report.contains("ended"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"race_between_blocks", "race_blocks_after_barrier"})
  void aRaceBetweenBlocksIsFound(String kernel) {
    emulator.set(Fact.CHECK, 1);
    assertEquals(SUCCESS, run(kernel, 2, 64).code());
    assertTrue(emulator.reports().contains("data race"), emulator.reports());
  }

  @Test
  void aReportTellsTheLine() {
    emulator.set(Fact.CHECK, 1);
    run("race_global", 1, 64);
    long line =
        SelfTestKernels.text(PLANTED_BUGS)
                .lines()
                .takeWhile(l -> !l.contains("void race_global("))
                .count()
            + 1;
    assertTrue(emulator.reports().contains("program:" + line + "\n"), emulator.reports());
  }

  /// Without checks, the hardware's own faults are still found.
  @ParameterizedTest
  @CsvSource({
    "bounds_far, 700",
    "bounds_dynamic_shared, 700",
    "divergent_barrier, 719",
    "divergent_shuffle, 719",
    "divergent_mma, 719",
    "misaligned_vector, 716",
    "misaligned_copy_source, 716",
    "misaligned_ldmatrix, 716",
    "bounds_dynamic_ldmatrix, 700",
  })
  void withoutChecksTheDeviceFails(String kernel, int code) {
    assertEquals(code, run(kernel, 1, 64).code(), emulator.reports());
  }

  @Test
  void aRaceShowsInPermutedOrders() {
    float right = run("right_sum", 1, 128).out()[0];
    for (long order : new long[] {0, 1, 7, 8, 9}) {
      emulator.set(Fact.ORDER, order);
      assertEquals(right, run("right_sum", 1, 128).out()[0]);
    }
    emulator.set(Fact.ORDER, 0);
    float forward = run("race_no_barrier", 1, 128).out()[0];
    emulator.set(Fact.ORDER, 1);
    assertNotEquals(forward, run("race_no_barrier", 1, 128).out()[0]);
  }

  /// Each mode of `cp.async` shows what the other hides.
  @Test
  void copiesArriveLateOrEarly() {
    float right = run("right_copy", 1, 64).out()[5];
    emulator.set(Fact.ASYNC_COPY, 1);
    assertEquals(right, run("copy_wait_for_too_few", 1, 64).out()[5]);
    emulator.set(Fact.ASYNC_COPY, 0);
    assertNotEquals(right, run("copy_wait_for_too_few", 1, 64).out()[5]);
  }

  @Test
  void bankConflictsAreCounted() {
    emulator.set(Fact.CHECK, 1);
    emulator.set(Fact.PROFILE, 1);
    run("right_column", 1, 32);
    run("right_column_of_one_bank", 1, 32);
    String profile = emulator.profile();
    String text = SelfTestKernels.text(PLANTED_BUGS);
    for (String kernel : new String[] {"right_column", "right_column_of_one_bank"}) {
      long line = text.lines().takeWhile(l -> !l.contains("COLUMN(" + kernel + ",")).count() + 1;
      String conflicts = kernel.equals("right_column") ? "0" : "31";
      String row =
          profile
              .lines()
              .filter(
                  l -> l.contains("program:" + line) && l.contains("load") && l.contains("shared"))
              .findFirst()
              .orElse(profile);
      assertTrue(row.endsWith("conflicts " + conflicts), profile);
    }
  }

  @Test
  void votesAreCounted() {
    assertEquals(110, run("right_votes", 1, 64).out()[63]);
  }

  private record Run(int code, float[] out) {}

  /// Runs one of the kernels; what it leaves in `out` is only there after success.
  private Run run(String kernel, int blocks, int threads) {
    try (EmulatedDevice device = EmulatedDevice.open(emulator)) {
      MemorySegment function = device.function(SelfTestKernels.ptx(device, PLANTED_BUGS), kernel);
      float[] numbers = new float[256];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = i * 37 % 23 / 4.0f + i;
      }
      long in = device.upload(numbers);
      long out = device.upload(new float[512]);
      if (kernel.equals("host_pointer")) {
        in = device.arena().allocateFrom(ValueLayout.JAVA_FLOAT, numbers).address();
      }
      long fresh = device.allocate(4 * 256);
      int shared = kernel.contains("dynamic") ? 4 * threads : 0;
      assertEquals(
          SUCCESS, device.tryLaunch(function, blocks, threads, shared, in, out, fresh), "launch");
      int code = device.call("cuCtxSynchronize");
      return new Run(code, code == SUCCESS ? device.download(out, 512) : new float[0]);
    }
  }
}
