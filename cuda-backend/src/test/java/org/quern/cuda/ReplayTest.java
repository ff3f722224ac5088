package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.core.Buffer;
import org.quern.core.DeviceException;
import org.quern.core.DeviceException.Effect;
import org.quern.cuda.Resources.Kind;
import org.quern.kernels.Grid;

/// Commands that come again are launched as a graph, and nothing else changes.
@ExtendWith(NothingLeft.class)
class ReplayTest {
  private static final String BEGIN = "cuStreamBeginCapture";
  private static final String LAUNCH = "cuGraphLaunch";

  private final Emulator emulator = Emulator.load();
  private CudaAccelerator a;
  private CudaKernel add;
  private Buffer x;
  private Buffer y;

  @BeforeEach
  void open() {
    a = Present.accelerator();
    add = Kernels.add(a);
    x = a.allocate(64);
    y = a.allocate(64);
  }

  @AfterEach
  void close() {
    a.close();
  }

  /// Uploads a number, adds to it three times, copies it and downloads the copy.
  private float segment(float start, float added) {
    a.upload(x, 0, MemorySegment.ofArray(new float[] {start}));
    for (int i = 0; i < 3; i++) {
      a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, added), null);
    }
    a.copy(y, 0, x, 0, 4);
    float[] out = new float[1];
    a.download(MemorySegment.ofArray(out), y, 0);
    return out[0];
  }

  /// Runs the same segment until there is a graph of it.
  private void learn(float added) {
    for (int i = 0; i < 2; i++) {
      assertEquals(i + 3 * added, segment(i, added));
    }
  }

  private void assertGraphs(int captured, int launched) {
    assertEquals(captured, emulator.calls(BEGIN), emulator.callTable());
    assertEquals(launched, emulator.calls(LAUNCH), emulator.callTable());
  }

  @Test
  void theThirdTimeTakesThreeCalls() {
    learn(1);
    assertGraphs(1, 0);
    for (int i = 0; i < 10; i++) {
      long before = emulator.calls();
      assertEquals(100 + i + 3, segment(100 + i, 1));
      assertEquals(3, emulator.calls() - before, emulator.callTable());
    }
    assertGraphs(1, 10);
  }

  @Test
  void whatIsUploadedIsWhatWasThereAtTheTime() {
    learn(1);
    float[] source = {5};
    a.upload(x, 0, MemorySegment.ofArray(source));
    source[0] = 1000;
    for (int i = 0; i < 3; i++) {
      a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    }
    a.copy(y, 0, x, 0, 4);
    float[] out = new float[1];
    a.download(MemorySegment.ofArray(out), y, 0);
    assertEquals(8, out[0]);
    assertGraphs(1, 1);
  }

  @Test
  void anotherNumberIsAnotherSegment() {
    learn(1);
    assertEquals(7 + 3 * 2, segment(7, 2));
    assertGraphs(1, 0);
    assertEquals(7 + 3, segment(7, 1));
    assertGraphs(1, 1);
  }

  @Test
  void anEndThatIsEarlierOrLaterOrElsewhereIsAnotherSegment() {
    learn(1);
    float[] out = new float[1];
    a.upload(x, 0, MemorySegment.ofArray(new float[] {9}));
    a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    a.download(MemorySegment.ofArray(out), x, 0); // earlier
    assertEquals(10, out[0]);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {9}));
    for (int i = 0; i < 3; i++) {
      a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    }
    a.copy(y, 0, x, 0, 4);
    a.download(MemorySegment.ofArray(out), x, 0); // elsewhere
    assertEquals(12, out[0]);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {9}));
    for (int i = 0; i < 3; i++) {
      a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    }
    a.copy(y, 0, x, 0, 4);
    a.copy(y, 4, x, 0, 4);
    a.synchronize(); // later
    float[] both = new float[2];
    a.download(MemorySegment.ofArray(both), y, 0);
    assertArrayEquals(new float[] {12, 12}, both);
    assertGraphs(1, 0);
  }

  @Test
  void aSegmentMayEndWithoutADownload() {
    float[] out = new float[1];
    a.upload(x, 0, MemorySegment.ofArray(out));
    for (int i = 1; i <= 5; i++) {
      for (int j = 0; j < 4; j++) {
        a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
      }
      a.synchronize();
      a.download(MemorySegment.ofArray(out), x, 0);
      assertEquals(4 * i, out[0]);
    }
    assertGraphs(1, 2); // the first had the upload too
  }

  @Test
  void threeCommandsAreNotWorthIt() {
    float[] out = new float[1];
    for (int i = 0; i < 9; i++) {
      a.upload(x, 0, MemorySegment.ofArray(new float[] {i}));
      a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
      a.download(MemorySegment.ofArray(out), x, 0);
      assertEquals(i + 1, out[0]);
    }
    assertGraphs(0, 0);
  }

  @Test
  void tooManyCommandsOrTooMuchFromTheHostAreNotCaptured() {
    a.upload(x, 0, MemorySegment.ofArray(new float[1]));
    a.synchronize();
    for (int i = 0; i < 4; i++) {
      for (int j = 0; j <= Replay.MOST_COMMANDS; j++) {
        a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
      }
      a.synchronize();
    }
    assertGraphs(0, 0);
    Buffer large = a.allocate(Replay.MOST_HOST_BYTES + 4);
    MemorySegment bytes = MemorySegment.ofArray(new byte[(int) Replay.MOST_HOST_BYTES + 4]);
    for (int i = 0; i < 4; i++) {
      a.upload(large, 0, bytes);
      a.copy(y, 0, x, 0, 4);
      a.copy(y, 0, x, 0, 4);
      a.copy(y, 0, x, 0, 4);
      a.synchronize();
    }
    assertGraphs(0, 0);
    a.free(large);
  }

  @Test
  void freedMemoryServesWhatIsHeldBack() {
    learn(1);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {1}));
    a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    long before = emulator.calls("cuLaunchKernel");
    a.free(x); // may not come before the launch
    assertEquals(before + 1, emulator.calls("cuLaunchKernel"));
    a.free(y);
    x = a.allocate(64);
    y = a.allocate(64);
    learn(1);
  }

  @Test
  void theGraphsOfAKernelGoWithIt() {
    learn(1);
    assertEquals(1, a.resources().live().get(Kind.GRAPH));
    a.upload(x, 0, MemorySegment.ofArray(new float[] {1}));
    a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    add.close();
    assertNull(a.resources().live().get(Kind.GRAPH));
    float[] out = new float[1];
    a.download(MemorySegment.ofArray(out), x, 0);
    assertEquals(2, out[0]);
  }

  @Test
  void segmentsThatTakeTurnsHaveAGraphEach() {
    for (int round = 0; round < 5; round++) {
      for (int i = 1; i <= Replay.MOST_GRAPHS; i++) {
        assertEquals(round + 3 * i, segment(round, i));
      }
    }
    assertGraphs(Replay.MOST_GRAPHS, 3 * Replay.MOST_GRAPHS);
    assertEquals(Replay.MOST_GRAPHS, a.resources().live().get(Kind.GRAPH));
  }

  @Test
  void moreSegmentsThanGraphsAreNotCapturedAgainAndAgain() {
    int rounds = 100;
    int segments = Replay.MOST_GRAPHS + 1;
    for (int round = 0; round < rounds; round++) {
      for (int i = 1; i <= segments; i++) {
        assertEquals(round + 3 * i, segment(round, i));
      }
    }
    assertTrue(emulator.calls(BEGIN) < 5 * segments, emulator.callTable());
    assertEquals(Replay.MOST_GRAPHS, a.resources().live().get(Kind.GRAPH));
  }

  @Test
  void aMixOfEverythingGivesWhatItGivesWithoutGraphs() {
    List<Float> expected;
    try (CudaAccelerator plain = Present.accelerator(Present.options().withGraphs(false))) {
      expected = mix(plain);
    }
    assertGraphs(0, 0);
    assertEquals(expected, mix(a));
    assertTrue(emulator.calls(LAUNCH) > 20, emulator.callTable());
  }

  /// Segments that begin alike and end differently, now and then.
  private static List<Float> mix(CudaAccelerator a) {
    List<Float> out = new ArrayList<>();
    SplittableRandom random = new SplittableRandom(3);
    CudaKernel add = Kernels.add(a);
    Buffer x = a.allocate(64);
    Buffer y = a.allocate(64);
    a.upload(y, 0, MemorySegment.ofArray(new float[16]));
    for (int i = 0; i < 300; i++) {
      int kind = random.nextInt(4);
      a.upload(x, 0, MemorySegment.ofArray(new float[] {random.nextInt(100)}));
      for (int j = 0; j < 3 + kind / 2; j++) {
        a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, j), null);
      }
      a.copy(y, 4 * kind, x, 0, 4);
      if (random.nextInt(20) == 0) {
        Buffer z = a.allocate(16);
        a.copy(z, 0, x, 0, 16);
        a.free(z);
      }
      float[] numbers = new float[4];
      a.download(MemorySegment.ofArray(numbers), y, 0);
      for (float number : numbers) {
        out.add(number);
      }
    }
    a.free(x);
    a.free(y);
    add.close();
    return out;
  }

  // --- failures ---

  @ParameterizedTest
  @ValueSource(strings = {BEGIN, "cuGraphInstantiateWithFlags", "cuMemHostAlloc"})
  void whereNoGraphCanBeMadeItGoesOnWithout(String call) {
    emulator.fail(call, 1, 801);
    for (int i = 0; i < 5; i++) {
      assertEquals(i + 3, segment(i, 1));
    }
    assertEquals(0, emulator.calls(LAUNCH));
    assertNull(a.resources().live().get(Kind.GRAPH));
  }

  @Test
  void aCaptureThatFailsInTheMiddleEnds() {
    emulator.fail("cuMemcpyDtoDAsync", 3, 900); // two segments, then the capture
    for (int i = 0; i < 5; i++) {
      assertEquals(i + 3, segment(i, 1));
    }
    assertEquals(1, emulator.calls("cuStreamEndCapture"));
    assertGraphs(1, 0);
  }

  @Test
  void aGraphThatCannotBeLaunchedIsGivenCommandByCommand() {
    learn(1);
    emulator.fail(LAUNCH, 1, 801);
    for (int i = 0; i < 5; i++) {
      assertEquals(i + 3, segment(i, 1));
    }
    assertGraphs(1, 1);
    assertNull(a.resources().live().get(Kind.GRAPH));
  }

  @Test
  void wantOfMemoryCostsOneGraphOnly() {
    learn(1);
    learn(2);
    emulator.fail(LAUNCH, 1, 2);
    assertEquals(1 + 3, segment(1, 1));
    assertEquals(1, a.resources().live().get(Kind.GRAPH));
    emulator.fail("cuGraphInstantiateWithFlags", 1, 2);
    assertEquals(2 + 3, segment(2, 1)); // would be captured
    assertEquals(1, a.resources().live().get(Kind.GRAPH));
    assertEquals(3 + 3, segment(3, 1)); // is
    assertEquals(2, a.resources().live().get(Kind.GRAPH));
  }

  @Test
  void aSegmentInWhichMemoryIsFreedIsNotCaptured() {
    for (int i = 0; i < 4; i++) {
      Buffer z = a.allocate(64);
      a.upload(z, 0, MemorySegment.ofArray(new float[] {i}));
      a.copy(x, 0, z, 0, 4);
      a.free(z);
      a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
      float[] out = new float[1];
      a.download(MemorySegment.ofArray(out), x, 0);
      assertEquals(i + 1, out[0]);
    }
    assertGraphs(0, 0);
  }

  @Test
  void aGraphThatFailsOnTheDeviceLosesIt() {
    learn(1);
    emulator.fail(Emulator.EXECUTION, 2, 700);
    var e = assertThrows(DeviceException.class, () -> segment(1, 1));
    assertEquals(Effect.DEVICE_LOST, e.effect());
    assertTrue(
        e.getMessage().startsWith("cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700) on "),
        e.getMessage());
    a.close();
    emulator.reset();
  }

  @Test
  void aLostDeviceIsNotLaunchedOn() {
    learn(1);
    emulator.loseDevice(719);
    var e = assertThrows(DeviceException.class, () -> segment(1, 1));
    assertEquals(Effect.DEVICE_LOST, e.effect());
    a.close();
    emulator.reset();
  }

  @Test
  void whatFindsNoMemoryStaysHeldAndIsGivenLater() {
    learn(1);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {4}));
    a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    emulator.fail(Emulator.LAUNCH, 2, 2);
    float[] out = new float[1];
    MemorySegment target = MemorySegment.ofArray(out);
    var e = assertThrows(DeviceException.class, () -> a.download(target, x, 0));
    assertEquals(Effect.OUT_OF_MEMORY, e.effect());
    a.download(target, x, 0);
    assertEquals(6, out[0]);
  }

  @Test
  void whatIsRefusedLateLosesTheDevice() {
    learn(1);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {4}));
    a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    emulator.fail(Emulator.LAUNCH, 1, 701);
    var e = assertThrows(DeviceException.class, a::synchronize);
    assertEquals(Effect.DEVICE_LOST, e.effect());
    assertTrue(e.getMessage().startsWith("given late: cuLaunchKernel: "), e.getMessage());
  }

  @Test
  void closingDoesNotWaitForWhatNobodyWaitsFor() {
    learn(1);
    a.upload(x, 0, MemorySegment.ofArray(new float[] {4}));
    a.launch(add, Grid.of(1, 32), Kernels.addTo(x, 1, 1), null);
    a.close();
    assertThrows(IllegalStateException.class, a::synchronize);
  }
}
