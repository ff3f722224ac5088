package org.quern.opencl;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import org.junit.jupiter.api.Test;
import org.quern.core.Availability;

class OpenClProviderTest {
  @Test
  void namesTheDevices() {
    Present.require();
    var ready = assertInstanceOf(Availability.Ready.class, new OpenClProvider().probe());
    assertFalse(ready.devices().isEmpty());
  }
}
