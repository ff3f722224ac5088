package org.quern.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// Ctrl-C for long work: the work is told to stop, and the process waits until it has kept what
/// must not be lost.
final class Interrupts implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 60;
  private static final long MOMENT_MILLIS = 500;
  private static final long STEP_MILLIS = 10;

  private final CountDownLatch finished = new CountDownLatch(1);
  private final Thread hook = new Thread(this::interrupted, "interrupt");
  private volatile boolean requested;

  Interrupts() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /// {@return whether the user wants to stop}
  boolean requested() {
    return requested;
  }

  /// {@return whether the user wants to stop, as far as is known in a moment: Ctrl-C also ends the
  /// processes that this one started, and their end may be noticed first}
  boolean requestedSoon() {
    try {
      for (long waited = 0; !requested && waited < MOMENT_MILLIS; waited += STEP_MILLIS) {
        Thread.sleep(STEP_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return requested;
  }

  private void interrupted() {
    requested = true;
    try {
      boolean inTime = finished.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
      if (!inTime) {
        System.err.println("quern: gave up waiting for the work to stop");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Says that nothing can be lost any more.
  @Override
  public void close() {
    finished.countDown();
    if (!requested) {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // the process is on its way out already
      }
    }
  }
}
