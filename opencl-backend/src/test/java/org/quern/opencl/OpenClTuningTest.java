package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.quern.core.Settings;
import org.quern.kernels.DeviceBackend;
import org.quern.kernels.Tuning;
import org.quern.kernels.TuningFile;

/// What `quern tune` kept is used; what makes no sense is not, and breaks nothing.
class OpenClTuningTest {
  private static final String CACHE = "quern.cache";

  @TempDir Path folder;
  private String before;

  @BeforeEach
  void useOwnCache() {
    Present.require();
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
    try (DeviceBackend backend = (DeviceBackend) new OpenClProvider().open(0, Settings.load())) {
      return backend.tuning();
    }
  }

  @Test
  void aTuningOfThisDeviceIsUsed() throws IOException {
    OpenClDevice device = OpenClProvider.device(0);
    assertEquals(Tuning.defaults(device.limits()), used());
    Path file = OpenClProvider.tuningFile(device);
    Tuning other = Tuning.cpu(4).equals(used()) ? Tuning.cpu(8) : Tuning.cpu(4);
    TuningFile.write(file, other, "test");
    assertEquals(other.fit(device.limits()), used());
    Files.writeString(file, "vector=banana");
    assertEquals(Tuning.defaults(device.limits()), used());
  }

  @Test
  void withoutACacheThereAreDefaults() {
    System.setProperty(CACHE, "off");
    assertEquals(Tuning.defaults(OpenClProvider.device(0).limits()), used());
  }
}
