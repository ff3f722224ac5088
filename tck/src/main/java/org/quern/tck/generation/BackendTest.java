package org.quern.tck.generation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.function.Executable;
import org.quern.core.Backend;

/// Opens a backend for each test, and fails a test that leaves memory behind.
public abstract class BackendTest {
  private Backend backend;

  /// For subclasses.
  protected BackendTest() {}

  /// {@return the backend under test, open}
  protected abstract Backend open();

  /// Opens the backend.
  @BeforeEach
  public final void openBackend() {
    backend = open();
  }

  /// Closes the backend.
  @AfterEach
  public final void closeBackend() {
    List<String> leaks = backend.pool().leaks();
    long inUse = backend.pool().stats().inUse();
    backend.close();
    assertEquals(List.of(), leaks, "open scopes");
    assertEquals(0, inUse, "bytes in use");
  }

  /// {@return the backend of this test}
  protected final Backend backend() {
    return backend;
  }

  /// Expects an exception with a message.
  ///
  /// @param type of the exception
  /// @param parts what the message must hold
  /// @param call what throws it
  static void refused(Class<? extends Throwable> type, Executable call, String... parts) {
    String message = String.valueOf(assertThrows(type, call).getMessage());
    for (String part : parts) {
      assertTrue(message.contains(part), "'%s' should hold '%s'".formatted(message, part));
    }
  }
}
