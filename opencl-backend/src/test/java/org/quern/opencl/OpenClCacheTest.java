package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.core.Buffer;
import org.quern.core.DType;
import org.quern.core.Settings;
import org.quern.core.Shape;
import org.quern.core.Tensor;
import org.quern.kernels.Arguments;
import org.quern.kernels.Grid;
import org.quern.kernels.KernelVariant;
import org.quern.kernels.ProgramCache;

/// The cache between a compiler and its user.
class OpenClCacheTest {
  @TempDir private Path folder;

  @AfterEach
  void nothingIsLeft() {
    assertEquals(Map.of(), Resources.all().live());
  }

  private ProgramCache cache() {
    return ProgramCache.in(folder, "opencl", ProgramCache.LIMIT);
  }

  private static String source(String name, int value) {
    return "__kernel void %s(__global int* x, long from) { x[from] = %d; }".formatted(name, value);
  }

  private static String key(OpenClDevice device, String source) {
    return ProgramCache.key(device.identity(), "-cl-std=CL1.2 ", source);
  }

  private static OpenClDevice device() {
    Present.require();
    return OpenClProvider.device(0);
  }

  /// Compiles a kernel and gives back what it writes.
  private static int run(OpenClDevice device, ProgramCache cache, String name, String source) {
    try (OpenClAccelerator a = new OpenClAccelerator(device, Settings.load(), cache)) {
      Buffer x = a.allocate(4);
      var kernel = a.compile(KernelVariant.of("test", name, Map.of()), source);
      Tensor tensor = new Tensor(x, DType.I32, Shape.of(1), 0);
      a.launch(kernel, Grid.of(1, 1), new Arguments().add(tensor), null);
      int[] out = new int[1];
      a.download(MemorySegment.ofArray(out), x, 0);
      a.free(x);
      return out[0];
    }
  }

  @Test
  void usesWhatAnEarlierRunHasCompiled() {
    OpenClDevice device = device();
    assertEquals(17, run(device, cache(), "k", source("k", 17)));
    byte[] program = cache().get(key(device, source("k", 17)));
    assertNotNull(program);
    // Planted under another name, so that it shows that it is used.
    cache().put(key(device, source("k", 18)), program);
    assertEquals(17, run(device, cache(), "k", source("k", 18)));
    assertEquals(18, run(device, ProgramCache.none(), "k", source("k", 18)));
  }

  @Test
  void compilesAgainWhatTheDriverRefuses() {
    OpenClDevice device = device();
    String key = key(device, source("k", 19));
    byte[] nonsense = "no program at all".getBytes(StandardCharsets.UTF_8);
    cache().put(key, nonsense);
    assertEquals(19, run(device, cache(), "k", source("k", 19)));
    byte[] program = cache().get(key);
    assertNotNull(program);
    assertEquals(19, run(device, cache(), "k", source("k", 19)));
    assertArrayEquals(program, cache().get(key));
  }

  @Test
  void compilesAgainWhatHoldsAnotherKernel() {
    OpenClDevice device = device();
    assertEquals(20, run(device, cache(), "other", source("other", 20)));
    byte[] other = cache().get(key(device, source("other", 20)));
    assertNotNull(other);
    cache().put(key(device, source("k", 21)), other);
    assertEquals(21, run(device, cache(), "k", source("k", 21)));
  }

  @Test
  void keepsNothingWhereThereIsNoFolder() {
    OpenClDevice device = device();
    assertEquals(22, run(device, ProgramCache.none(), "k", source("k", 22)));
    assertNull(cache().get(key(device, source("k", 22))));
  }
}
