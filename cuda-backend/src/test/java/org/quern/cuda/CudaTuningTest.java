package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.quern.core.Settings;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Tuning;
import org.quern.kernels.TuningFile;

/// What `quern tune` kept is used; what makes no sense is not, and breaks nothing.
@ExtendWith(NothingLeft.class)
class CudaTuningTest {
  private static final String CACHE = "quern.cache";

  @TempDir Path folder;
  private String before;

  @BeforeEach
  void useOwnCache() {
    before = System.getProperty(CACHE);
    System.setProperty(CACHE, folder.toString());
  }

  @AfterEach
  void restore() {
    if (before != null) {
      System.setProperty(CACHE, before);
    }
  }

  private static Tuning used() {
    try (DeviceBackend backend = (DeviceBackend) new CudaProvider().open(0, Settings.load())) {
      return backend.tuning();
    }
  }

  @Test
  void aTuningOfThisDeviceIsUsed() throws IOException {
    CudaDevice device = CudaProvider.device(0);
    assertEquals(Tuning.defaults(device.limits()), used());
    Path file = CudaProvider.tuningFile(device);
    Tuning gpu = Tuning.gpu();
    Tuning other = new Tuning(4, 64, 32, gpu.matmul(), gpu.flash());
    TuningFile.write(file, other, "test");
    assertEquals(other.fit(device.limits()), used());
    Files.writeString(file, "vector=banana");
    assertEquals(Tuning.defaults(device.limits()), used());
  }

  @Test
  void withoutACacheThereAreDefaults() {
    System.setProperty(CACHE, "off");
    assertEquals(Tuning.defaults(CudaProvider.device(0).limits()), used());
  }

  @Test
  void whatIsFoundIsKeptOrSaidNotToBe() {
    CudaDevice device = CudaProvider.device(0);
    List<String> kept = CudaProvider.kept(device, Tuning.gpu());
    assertEquals("cuda:0, CUDA emulator", kept.get(0));
    assertEquals("kept in " + CudaProvider.tuningFile(device), kept.get(2));
    System.setProperty(CACHE, "off");
    assertTrue(CudaProvider.kept(device, Tuning.gpu()).get(2).startsWith("not kept: there is no"));
  }

  @Test
  void whatCannotBeWrittenIsSaidNotToBeKept() throws IOException {
    CudaDevice device = CudaProvider.device(0);
    Files.createDirectories(CudaProvider.tuningFile(device).resolve("in the way"));
    String told = CudaProvider.kept(device, Tuning.gpu()).get(2);
    assertTrue(told.startsWith("not kept: ") && !told.contains("there is no"), told);
  }

  /// The search itself is tested with a device that is not one; here one block of each launch runs.
  @Test
  void tuningFindsSizesAndKeepsThem() {
    Emulator.load().set(Emulator.Fact.BLOCKS, 1);
    List<String> progress = new ArrayList<>();
    List<String> told = new CudaProvider().tune(0, Settings.load(), progress::add);
    assertTrue(progress.size() > 10, progress.toString());
    assertEquals("kept in " + CudaProvider.tuningFile(CudaProvider.device(0)), told.get(2));
    assertEquals(told.get(1), used().toString());
  }
}
