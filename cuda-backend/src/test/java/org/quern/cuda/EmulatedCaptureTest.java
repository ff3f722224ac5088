package org.quern.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.quern.cuda.Emulator.Kind;
import org.quern.kernels.KernelVariant;

/// Streams that are captured, and the graphs that come of it, as the CUDA driver API describes
/// them.
@SuppressWarnings("restricted")
class EmulatedCaptureTest {
  private static final int GLOBAL = 0;
  private static final int THREAD_LOCAL = 1;
  private static final int RELAXED = 2;
  private static final int NON_BLOCKING = 1;
  private static final int ILLEGAL_STATE = 401;
  private static final int UNSUPPORTED = 900;
  private static final int INVALIDATED = 901;
  private static final int IMPLICIT = 906;
  private static final int CAPTURED_EVENT = 907;
  private static final int WRONG_THREAD = 908;
  private static final MemorySegment NULL = MemorySegment.NULL;

  private final Emulator emulator = Emulator.load();
  private EmulatedDevice device;
  private MemorySegment axpy;
  private MemorySegment stream;

  @BeforeEach
  void open() {
    emulator.reset();
    device = EmulatedDevice.open(emulator);
    var variant = KernelVariant.of("portable", "axpy", Map.of("VW", 4, "WG", 32, "X", "F32"));
    axpy = device.function(Emulator.ptx(variant), "axpy");
    device.check("cuStreamCreate", device.out(), NON_BLOCKING);
    stream = device.last();
  }

  @AfterEach
  void close() {
    device.check("cuStreamDestroy_v2", stream);
    device.close();
    assertEquals("", emulator.live());
    assertEquals("", emulator.reports());
  }

  /// y += a x
  private int launch(long y, long x, int n, float a) {
    return device.launchOn(stream, axpy, 1, 32, 0, y, 0L, x, 0L, (long) n, a, 1);
  }

  private MemorySegment endCapture() {
    device.check("cuStreamEndCapture", stream, device.out());
    return device.last();
  }

  private MemorySegment instantiate(MemorySegment graph) {
    device.check("cuGraphInstantiateWithFlags", device.out(), graph, 0L);
    return device.last();
  }

  private int status() {
    device.check("cuStreamIsCapturing", stream, device.out());
    return device.out().get(JAVA_INT, 0);
  }

  @Test
  void aGraphDoesWhatWasCaptured() {
    long x = device.upload(1f, 2f, 3f);
    long y = device.upload(0f, 0f, 0f);
    assertEquals(0, status());
    device.check("cuStreamBeginCapture_v2", stream, THREAD_LOCAL);
    assertEquals(1, status());
    assertEquals(0, launch(y, x, 3, 1));
    device.check("cuMemsetD32Async", x, Float.floatToRawIntBits(10), 1L, stream);
    assertEquals(0, launch(y, x, 3, 2));
    MemorySegment graph = endCapture();
    assertEquals(0, status());
    device.check("cuStreamSynchronize", stream);
    assertArrayEquals(new float[3], device.download(y, 3), "nothing has run yet");

    device.check("cuGraphGetNodes", graph, NULL, device.out());
    assertEquals(3, device.out().get(JAVA_LONG, 0));
    MemorySegment exec = instantiate(graph);
    device.check("cuGraphDestroy", graph);
    device.check("cuGraphLaunch", exec, stream);
    device.check("cuStreamSynchronize", stream);
    assertArrayEquals(new float[] {21, 6, 9}, device.download(y, 3));
    device.check("cuGraphLaunch", exec, stream);
    device.check("cuStreamSynchronize", stream);
    assertArrayEquals(new float[] {51, 12, 18}, device.download(y, 3));
    assertEquals(2, emulator.calls(Emulator.LAUNCH), "launches by the host");
    assertEquals(4, emulator.calls(Emulator.EXECUTION), "kernels that ran");
    assertEquals(1, emulator.live(Kind.EXEC));
    device.check("cuGraphExecDestroy", exec);
  }

  @Test
  void copiesInAGraphReadTheHostWhenTheyRun() {
    MemorySegment host = pinned(8);
    long x = device.allocate(8);
    device.check("cuStreamBeginCapture_v2", stream, THREAD_LOCAL);
    device.check("cuMemcpyHtoDAsync_v2", x, host, 8L, stream);
    MemorySegment graph = endCapture();
    MemorySegment exec = instantiate(graph);
    device.check("cuGraphDestroy", graph);
    for (int value : new int[] {5, 6}) {
      host.set(JAVA_INT, 0, value);
      device.check("cuGraphLaunch", exec, stream);
      device.check("cuStreamSynchronize", stream);
      assertEquals(value, device.downloadInts(x, 1)[0]);
    }
    device.check("cuGraphExecDestroy", exec);
    device.check("cuMemFreeHost", host);
  }

  private MemorySegment pinned(long bytes) {
    device.check("cuMemHostAlloc", device.out(), bytes, 0);
    return device.last().reinterpret(bytes);
  }

  @Test
  void kernelsOfAGraphGetOtherArguments() {
    long x = device.upload(1f, 2f, 3f);
    long y = device.upload(0f, 0f, 0f);
    device.check("cuStreamBeginCapture_v2", stream, THREAD_LOCAL);
    assertEquals(0, launch(y, x, 3, 1));
    MemorySegment graph = endCapture();
    MemorySegment nodes = device.arena().allocate(ADDRESS, 1);
    device.out().set(JAVA_LONG, 0, 1);
    device.check("cuGraphGetNodes", graph, nodes, device.out());
    MemorySegment node = nodes.get(ADDRESS, 0);
    device.check("cuGraphNodeGetType", node, device.out());
    assertEquals(0, device.out().get(JAVA_INT, 0), "a kernel");
    MemorySegment exec = instantiate(graph);
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment parameters = scratch.allocate(72, 8); // CUDA_KERNEL_NODE_PARAMS_v2
      device.check("cuGraphKernelNodeGetParams_v2", node, parameters);
      assertEquals(axpy, parameters.get(ADDRESS, 0));
      assertEquals(32, parameters.get(JAVA_INT, 20), "threads of a block");
      MemorySegment arguments = EmulatedDevice.parameters(scratch, y, 0L, x, 0L, 3L, 100.0f, 1);
      parameters.set(ADDRESS, 40, arguments);
      device.check("cuGraphExecKernelNodeSetParams_v2", exec, node, parameters);
    }
    device.check("cuGraphLaunch", exec, stream);
    device.check("cuStreamSynchronize", stream);
    assertArrayEquals(new float[] {100, 200, 300}, device.download(y, 3));
    device.check("cuGraphDestroy", graph);
    device.check("cuGraphExecDestroy", exec);
  }

  /// What waits for the stream, or may wait for the device, ends the capture.
  @ParameterizedTest
  @ValueSource(
      strings = {
        "cuMemAlloc_v2",
        "cuMemHostAlloc",
        "cuMemFree_v2",
        "cuMemcpyHtoD_v2",
        "cuCtxSynchronize",
        "cuStreamSynchronize",
        "cuStreamQuery",
        "cuModuleLoadData",
        "cuEventQuery"
      })
  void anIllegalCallInvalidatesTheCapture(String name) {
    MemorySegment event = event();
    MemorySegment text = device.arena().allocateFrom("no PTX");
    device.check("cuStreamBeginCapture_v2", stream, GLOBAL);
    int code =
        switch (name) {
          case "cuMemAlloc_v2" -> device.call(name, device.out(), 4L);
          case "cuMemHostAlloc" -> device.call(name, device.out(), 4L, 0);
          case "cuMemFree_v2" -> device.call(name, 0L);
          case "cuMemcpyHtoD_v2" -> device.call(name, 0L, text, 4L);
          case "cuCtxSynchronize" -> device.call(name);
          case "cuStreamSynchronize", "cuStreamQuery" -> device.call(name, stream);
          case "cuModuleLoadData" -> device.call(name, device.out(), text);
          default -> device.call(name, event);
        };
    assertEquals(UNSUPPORTED, code);
    assertEquals(2, status());
    assertEquals(INVALIDATED, device.call("cuStreamEndCapture", stream, device.out()));
    assertEquals(NULL, device.last());
    assertEquals(0, status());
    device.check("cuStreamSynchronize", stream);
    device.check("cuEventDestroy_v2", event);
  }

  private MemorySegment event() {
    device.check("cuEventCreate", device.out(), 0);
    return device.last();
  }

  @Test
  void workAfterAnIllegalCallIsRefused() {
    long x = device.upload(1f);
    device.check("cuStreamBeginCapture_v2", stream, GLOBAL);
    assertEquals(UNSUPPORTED, device.call("cuCtxSynchronize"));
    assertEquals(INVALIDATED, launch(x, x, 1, 1));
    assertEquals(INVALIDATED, device.call("cuStreamEndCapture", stream, device.out()));
    assertEquals(0, launch(x, x, 1, 1));
    assertEquals(2, device.download(x, 1)[0]);
  }

  @Test
  void aRelaxedCaptureForbidsNothing() {
    device.check("cuStreamBeginCapture_v2", stream, RELAXED);
    device.upload(1f);
    device.check("cuCtxSynchronize");
    device.check("cuGraphDestroy", endCapture());
  }

  @Test
  void otherThreadsAreForbiddenByAGlobalCaptureOnly() throws InterruptedException {
    for (int mode : new int[] {GLOBAL, THREAD_LOCAL}) {
      device.check("cuStreamBeginCapture_v2", stream, mode);
      int[] codes = new int[2];
      Thread other =
          new Thread(
              () -> {
                device.call("cuDevicePrimaryCtxRetain", device.out(), 0);
                device.call("cuCtxSetCurrent", device.last());
                codes[0] = device.call("cuCtxSynchronize");
                codes[1] = device.call("cuStreamEndCapture", stream, device.out());
                device.call("cuDevicePrimaryCtxRelease_v2", 0);
              });
      other.start();
      other.join();
      assertEquals(mode == GLOBAL ? UNSUPPORTED : 0, codes[0]);
      assertEquals(WRONG_THREAD, codes[1]);
      int end = device.call("cuStreamEndCapture", stream, device.out());
      assertEquals(mode == GLOBAL ? INVALIDATED : 0, end);
      if (end == 0) {
        device.check("cuGraphDestroy", device.last());
      }
    }
  }

  @Test
  void capturesBeginAndEndOnceOnAStreamOfTheirOwn() {
    assertEquals(UNSUPPORTED, device.call("cuStreamBeginCapture_v2", NULL, GLOBAL));
    assertEquals(ILLEGAL_STATE, device.call("cuStreamEndCapture", stream, device.out()));
    device.check("cuStreamBeginCapture_v2", stream, THREAD_LOCAL);
    assertEquals(ILLEGAL_STATE, device.call("cuStreamBeginCapture_v2", stream, THREAD_LOCAL));
    device.check("cuGraphDestroy", endCapture());
  }

  @Test
  void theDefaultStreamWaitsForBlockingStreamsOnly() {
    long x = device.upload(1f);
    device.check("cuStreamBeginCapture_v2", stream, RELAXED);
    device.check("cuMemsetD32Async", x, 0, 1L, NULL);
    device.check("cuGraphDestroy", endCapture());

    device.check("cuStreamCreate", device.out(), 0);
    MemorySegment blocking = device.last();
    device.check("cuStreamBeginCapture_v2", blocking, RELAXED);
    assertEquals(IMPLICIT, device.call("cuMemsetD32Async", x, 0, 1L, NULL));
    assertEquals(INVALIDATED, device.call("cuStreamEndCapture", blocking, device.out()));
    device.check("cuStreamDestroy_v2", blocking);
  }

  @Test
  void eventsOfACaptureCannotBeWaitedFor() {
    MemorySegment event = event();
    device.check("cuStreamBeginCapture_v2", stream, THREAD_LOCAL);
    device.check("cuEventRecord", event, stream);
    assertEquals(CAPTURED_EVENT, device.call("cuEventSynchronize", event));
    assertEquals(INVALIDATED, device.call("cuStreamEndCapture", stream, device.out()));
    device.check("cuEventDestroy_v2", event);
  }

  @Test
  void aGraphFailsWhereItsKernelsFail() {
    long x = device.upload(1f);
    device.check("cuStreamBeginCapture_v2", stream, THREAD_LOCAL);
    assertEquals(0, launch(x, x, 1, 1));
    assertEquals(0, launch(x, x, 1, 1));
    MemorySegment graph = endCapture();
    MemorySegment exec = instantiate(graph);
    emulator.fail(Emulator.EXECUTION, 4, 719);
    device.check("cuGraphLaunch", exec, stream);
    device.check("cuStreamSynchronize", stream);
    assertEquals(4, device.download(x, 1)[0]);
    assertEquals(0, device.call("cuGraphLaunch", exec, stream));
    assertEquals(719, device.call("cuStreamSynchronize", stream));
    assertEquals(719, device.call("cuGraphLaunch", exec, stream));
    assertEquals(719, device.call("cuGraphExecDestroy", exec), "gives back, and tells");
    assertNotEquals(1, emulator.live(Kind.EXEC));
    device.call("cuGraphDestroy", graph);
    device.call("cuStreamDestroy_v2", stream);
    device.check("cuDevicePrimaryCtxReset_v2", 0);
    device.check("cuStreamCreate", device.out(), NON_BLOCKING); // for close()
    stream = device.last();
  }
}
