package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.quern.core.Availability;
import org.quern.core.Backends;
import org.quern.core.Settings;

class OpenClProviderTest {
  @Test
  void saysWhyAndWhatToDo() {
    var missing = assertInstanceOf(Availability.Missing.class, new OpenClProvider().probe());
    assertTrue(missing.reason().contains("OpenCL"));
    assertTrue(missing.remedy().contains("quern.backend=cpu"));
  }

  @Test
  void anExplicitChoiceNeverFallsBack() {
    Settings settings = Settings.load().withBackend("opencl");
    var e = assertThrows(IllegalArgumentException.class, () -> Backends.open(settings));
    assertTrue(e.getMessage().contains("cannot run here"), e.getMessage());
  }
}
