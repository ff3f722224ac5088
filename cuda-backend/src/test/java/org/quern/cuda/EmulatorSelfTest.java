package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class EmulatorSelfTest {
  @Test
  void loads() {
    assertEquals(0, Emulator.load().reports());
  }
}
