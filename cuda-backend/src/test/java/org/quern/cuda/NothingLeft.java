package org.quern.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Map;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/// Fails a test that leaves something behind: objects of the driver or of cuBLAS, as they and as we
/// count them, or reports of what kernels and calls did wrong.
final class NothingLeft implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback {
  @Override
  public void beforeAll(ExtensionContext context) {
    Emulator.load();
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    Emulator.load().reset();
  }

  @Override
  public void afterEach(ExtensionContext context) {
    check();
    Emulator.load().reset();
  }

  /// Looks now.
  static void check() {
    assertEquals(Map.of(), Resources.all().live());
    assertEquals("", Emulator.load().live());
    assertEquals("", Emulator.load().reports());
  }
}
