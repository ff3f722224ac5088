package org.quern.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// Ctrl-C for long work: the work is told to stop, and the process waits until it has kept what
/// must not be lost.
final class Interrupts implements AutoCloseable {
  private static final int PATIENCE_SECONDS = 60;

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
